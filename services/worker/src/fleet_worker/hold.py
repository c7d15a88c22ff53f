"""A request that this worker has in hand: the two leases behind it, and how it learns that it must stop."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fleet_contracts.grammar import Lane
from fleet_worker.request import ConversationKey, Request, RequestKey

WORKER_LOST = "worker_lost"
"""Why text is void whose worker was not heard of again."""


class LostError(Exception):
    """The request is in other hands, or the ledger can't be asked: nothing of it may be told from here."""


class DeliveryLease:
    """Whether the broker still counts on this worker for a delivery; nobody else has it meanwhile."""

    __slots__ = ("at_work", "held")

    def __init__(self) -> None:
        self.held = True
        self.at_work = False
        """Whether its request is in work, which goes on to its end though the channel be gone."""

    def lost(self) -> None:
        """The channel is gone: the broker gives the delivery to someone else, or has done so."""
        self.held = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What it takes to answer a request that is not at hand."""

    reply_to: str | None
    model: str
    lane: Lane
    stream: bool

    @classmethod
    def of(cls, request: Request) -> "Facts":
        """The facts of a request."""
        return cls(request.reply_to, request.model, request.lane, request.stream)


@dataclass(slots=True)
class Trial:
    """One attempt, for who asks later what happened to a request."""

    number: int
    worker: str
    started_ms: int
    ended_ms: int | None = None
    outcome: str | None = None
    """`result`, or an error's code."""
    trace_id: str | None = None
    account: str | None = None
    """Who paid, by the operators' name for it."""


@dataclass(eq=False, slots=True, kw_only=True)
class Hold:
    """A granted claim. The ledger keeps it alive; whoever holds it works, then commits or releases."""

    key: RequestKey
    identity: str
    """What repetitions share: type, digest and, of a turn, the conversation's name, with colons between."""
    facts: Facts
    fence: int
    attempts: int
    """Attempts that have begun, here and elsewhere."""
    void: str | None
    """Why the text that was sent is void; None where none was sent."""
    leased_until: float
    """Until when the ledger counts on this worker, in monotonic seconds."""
    vanished: int = 0
    """Owners that were not heard of again, each after it began an attempt."""
    deliveries: list[DeliveryLease] = field(default_factory=list[DeliveryLease])
    trials: list[Trial] = field(default_factory=list[Trial])
    account: str | None = None
    """Who pays for the attempt that begins next."""
    _draining: Exception | None = None
    _stopped: Exception | None = None
    _working: "asyncio.Task[object] | None" = None

    @property
    def conversation(self) -> ConversationKey | None:
        """The conversation that the request is of; None where it is of none."""
        _type, _digest, *name = self.identity.split(":", 2)
        return (self.key[0], name[0]) if name else None

    def stands(self, now: float) -> bool:
        """Whether at least one of the two leases is held at `now`, in monotonic seconds."""
        return now < self.leased_until or any(delivery.held for delivery in self.deliveries)

    def share(self, delivery: DeliveryLease) -> None:
        """Count on one more delivery of the same request."""
        self.deliveries = [*(one for one in self.deliveries if one.held and one is not delivery), delivery]

    def stop(self, reason: Exception) -> None:
        """End the work that goes on under `working`, which raises `reason`; later ones end at their start.

        Work that learns of it itself goes on until it asks with `check`: a cancel that a task gives itself
        would wait for its next pause, and that may come after `working`, where nobody expects it.
        """
        if self._stopped is None:
            self._stopped = reason
            if self._working is not None and self._working is not asyncio.current_task():
                self._working.cancel()

    def drain(self, reason: Exception) -> None:
        """Let the attempt that runs end, and begin no further call; without one, stop now."""
        self._draining = reason
        if not self.attempting:
            self.stop(reason)

    def check_may_call(self) -> None:
        """Go on, unless no further call may begin.

        Raises:
            Exception: the reason that `drain` or `stop` was given.
        """
        self.check()
        if self._draining is not None:
            raise self._draining

    def check(self) -> None:
        """Go on, unless it was stopped.

        Raises:
            Exception: the reason that `stop` was given.
        """
        if self._stopped is not None:
            raise self._stopped

    @contextmanager
    def working(self) -> Generator[None]:
        """Work that `stop` ends; used by one task at a time.

        Raises:
            Exception: the reason that `stop` was given.
        """
        self.check()
        task = self._working = asyncio.current_task()
        cancels = task.cancelling() if task else 0
        try:
            yield
        except asyncio.CancelledError:
            # As asyncio.timeout does: our own cancel becomes the reason, anybody else's goes on.
            if task is None or self._stopped is None or task.uncancel() > cancels:
                raise
            raise self._stopped from None
        finally:
            self._working = None

    def begun(self, worker: str, now_ms: int) -> int:
        """Number the next attempt."""
        self.attempts += 1
        self.trials.append(Trial(self.attempts, worker, now_ms, account=self.account))
        return self.attempts

    @property
    def attempts_before(self) -> int:
        """Attempts that had begun, elsewhere, when the claim was granted."""
        return self.attempts - len(self.trials)

    @property
    def attempting(self) -> bool:
        """Whether an attempt has begun and not ended."""
        return bool(self.trials) and self.trials[-1].ended_ms is None

    def ended(self, now_ms: int, outcome: str, trace_id: str | None) -> None:
        """Remember how the attempt that runs has ended; nothing where none runs."""
        if self.attempting:
            trial = self.trials[-1]
            trial.ended_ms, trial.outcome, trial.trace_id = now_ms, outcome, trace_id
