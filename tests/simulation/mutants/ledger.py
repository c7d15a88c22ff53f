"""The ledger done wrong."""

from contextlib import suppress
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from chaos.broken_steps import BLIND_COMMIT
from fleet_chassis.store import StoreUnavailableError
from fleet_worker.deadline import Deadline
from fleet_worker.hold import Hold, LostError
from fleet_worker.ledger import store as ledger_store
from fleet_worker.ledger.answers import Ended, Stored, Superseded
from fleet_worker.ledger.commits import Commits
from fleet_worker.ledger.disowning import Disowning
from fleet_worker.ledger.fleet_ledger import FleetLedger
from fleet_worker.ledger.holds import Holds
from fleet_worker.ledger.renewing import Renewing
from fleet_worker.ledger.rules import owner_of
from fleet_worker.request import RequestKey
from fleet_worker.terminal import Terminal
from simulation.mutants.planting import all_of, in_script, mutant


@mutant("a commit does not ask whether its holder still has the request")
def no_fence() -> Any:
    return in_script(ledger_store, "_COMMIT", *BLIND_COMMIT)


@mutant("a claim is granted although somebody alive has the request in hand")
def no_owner_check() -> Any:
    return in_script(
        ledger_store, "_CLAIM", "if ARGV[9] == '1' or not (lease <= now or dead) then", "if false then"
    )


@mutant("a claim does not look whether the request has ended")
def ends_not_looked_at() -> Any:
    return in_script(ledger_store, "_CLAIM", "if known[10] then", "if false then")


@mutant("a cancel leaves no mark on the record")
def cancel_leaves_no_mark() -> Any:
    return in_script(ledger_store, "_CANCEL", "redis.call('HSET', KEYS[1], 'cancelled', '1')", "")


@mutant("the number of an attempt is not written down before its call")
def attempts_not_recorded() -> Any:
    async def begin_attempt(self: Any, hold: Hold) -> int:
        hold.check()
        return hold.begun(self.worker, self.clock.now_ms())

    async def renew(self: Any, hold: Hold) -> Any:
        return await self.records.keep(hold.key, replace(self.holder(hold), attempts=0, void=""))

    return all_of(
        patch.object(FleetLedger, "begin_attempt", begin_attempt), patch.object(Renewing, "renew", renew)
    )


@mutant("whoever has lost the race to commit publishes its own end all the same")
def losers_publish_their_own() -> Any:
    whole = FleetLedger.commit

    async def commit(self: Any, hold: Hold, terminal: Terminal, deadline: Deadline) -> Terminal:
        with suppress(LostError):
            await whole(self, hold, terminal, deadline)
        return terminal

    return patch.object(FleetLedger, "commit", commit)


@mutant("an end that the store did not take counts as stored")
def commit_without_an_answer() -> Any:
    async def commit(
        self: Any, hold: Hold, head: Any, body: bytes, until: float
    ) -> Stored | Ended | Superseded:
        del until
        try:
            return await self._try(hold, head, body)
        except StoreUnavailableError:
            return Stored()

    return patch.object(Commits, "commit", commit)


@mutant("a claim that has not ended is not given back")
def never_given_back() -> Any:
    async def release(self: Any, hold: Hold) -> None:
        """Nothing."""

    return patch.object(FleetLedger, "release", release)


@mutant("whoever is asked for a request gives it back although it is in hand")
def given_back_while_in_hand() -> Any:
    async def disown(self: Any, key: RequestKey) -> None:
        record = await self.records.look(key)
        if record is not None and record.owner == self.owner:
            await self.records.disown(key, owner_of(record))

    def hear(self: Any, message: bytes) -> None:
        what, _, text = message.decode().partition(" ")
        if what == "wanted":
            self._wanted.put_nowait(text)
        whole(self, message)

    whole = Holds.hear
    return all_of(patch.object(Disowning, "disown", disown), patch.object(Holds, "hear", hear))


@mutant("claims are not renewed")
def never_renewed() -> Any:
    async def renew_all(self: Any) -> None:
        """Nothing."""

    return patch.object(Renewing, "renew_all", renew_all)
