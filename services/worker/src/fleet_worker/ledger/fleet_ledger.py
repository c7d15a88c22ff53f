"""The ledger as the handler knows it: over any records, for as many workers as share them."""

from contextlib import suppress
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_chassis.store import StoreUnavailableError
from fleet_worker import ports
from fleet_worker.deadline import Deadline
from fleet_worker.hold import DeliveryLease, Hold, LostError
from fleet_worker.ledger.answers import Ended, Marked, Standing, Superseded
from fleet_worker.ledger.claiming import Claiming
from fleet_worker.ledger.commits import Commits
from fleet_worker.ledger.holds import Holds, cancelled
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.records import Records
from fleet_worker.ledger.renewing import Renewing
from fleet_worker.ledger.suspects import Suspects
from fleet_worker.ledger.terminals import head_of, terminal_of
from fleet_worker.ledger.times import COMMIT_PATIENCE_S, Times
from fleet_worker.request import Request, RequestKey
from fleet_worker.terminal import Terminal

GIVEN_BACK = "given_back"
"""How an attempt ended that its worker gave up, for others to begin again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetLedger:
    """One worker's face to the ledger. What its methods guarantee is said at `ports.Ledger`."""

    records: Records
    holds: Holds
    renewing: Renewing
    claiming: Claiming
    suspects: Suspects
    commits: Commits
    observer: LedgerObserver
    times: Times
    clock: Clock
    owner: str
    """This worker's channel in the store: one of its own for each process."""
    worker: str
    """Its name, for people."""
    starts_unrecorded: bool = False
    """Whether a call may start while the store is away, where the broker still counts on this worker."""

    async def claim(self, request: Request, delivery: DeliveryLease) -> ports.Claim:
        """Take the request on, or learn why not."""
        claim = await self.claiming.claim(request, delivery)
        self.observer.claimed(type(claim).__name__)
        if isinstance(claim, ports.Granted):
            await self._take_turns(claim.hold)
        return claim

    async def _take_turns(self, hold: Hold) -> None:
        try:
            await self.suspects.turn(hold)
        except BaseException:
            await self.release(hold)
            raise

    async def begin_attempt(self, hold: Hold) -> int:
        """Record that an upstream call starts now."""
        number = hold.begun(self.worker, self.clock.now_ms())
        await self.go_on(hold)
        return number

    async def go_on(self, hold: Hold) -> None:
        """Make sure that an upstream call may start now."""
        try:
            standing = await self.renewing.renew(hold)
        except StoreUnavailableError as error:
            # Nobody else can claim the request meanwhile; the attempt is stated with the next renewal.
            if self.starts_unrecorded and any(delivery.held for delivery in hold.deliveries):
                hold.check()
                return
            raise LostError("the store is away: no call may start") from error
        if standing in {Standing.LOST, Standing.ENDED}:
            raise LostError("the request is in other hands")
        hold.check()

    async def commit(self, hold: Hold, terminal: Terminal, deadline: Deadline) -> Terminal:
        """Store the terminal reply unless there is one; returns the one that counts."""
        hold.ended(self.clock.now_ms(), terminal.outcome, None)
        head = head_of(terminal)
        answer = await self.commits.commit(hold, head, terminal.body, deadline.at + COMMIT_PATIENCE_S)
        self.holds.drop(hold)
        if isinstance(answer, Superseded):
            self.observer.dropped("superseded")
            raise LostError("the request is in other hands")
        if isinstance(answer, Ended):
            self.observer.dropped("ended_elsewhere")
            return _stored(answer)
        return terminal

    async def release(self, hold: Hold) -> None:
        """Let others take the request; an attempt that still ran is given up."""
        if not self.holds.drop(hold):
            return
        hold.ended(self.clock.now_ms(), GIVEN_BACK, None)
        with suppress(StoreUnavailableError):  # its lease ends by itself
            await self.records.release(hold.key, self.renewing.holder(hold))

    def drain(self) -> None:
        """Begin nothing more, and give up what has no call under way."""
        self.holds.drain()

    async def cancel(self, key: RequestKey) -> Hold | ports.CancelSeen:
        """Have a request end as cancelled, wherever it is."""
        try:
            answer = await self.records.cancel(key, self.owner)
        except StoreUnavailableError as error:
            raise LostError("the store is away") from error
        held = self.holds.get(key)
        if held is not None:
            held.stop(cancelled())
            return ports.CancelSeen.RUNNING
        if isinstance(answer, Marked):
            return ports.CancelSeen(answer.value)
        hold = Hold(
            key=key,
            identity=answer.identity,
            facts=answer.facts,
            fence=answer.fence,
            attempts=answer.attempts,
            void=answer.void or None,
            leased_until=self.clock.monotonic() + self.times.lease_s,
        )
        hold.stop(cancelled())
        self.holds.add(hold)
        return hold


def _stored(ended: Ended) -> Terminal:
    if ended.body is None:
        raise LostError("the request has ended elsewhere, and its reply is not kept any more")
    return terminal_of(ended.head, ended.body)
