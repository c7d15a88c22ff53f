"""The attempts of one request: their numbers, what their reader was told, and where the time went."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from fleet_chassis.clock import Clock
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import OnBreak
from fleet_worker.completion import Completion, CompletionError, Delta
from fleet_worker.continuing import SoFar, continued, joined, may_continue
from fleet_worker.deadline import Deadline
from fleet_worker.hold import WORKER_LOST, Hold
from fleet_worker.observing import Observer
from fleet_worker.permitting import Limiter, Permit
from fleet_worker.ports import Ledger, ReplyStream, Sent
from fleet_worker.postponed import PostponedError
from fleet_worker.postponing import Upstream
from fleet_worker.prices import PriceLists
from fleet_worker.request import Request
from fleet_worker.stopwatch import Stopwatch
from fleet_worker.terminal import Terminal

_OK = 200


@dataclass(slots=True, kw_only=True)
class Attempts:
    """Numbers each start of an upstream call, and makes sure that no two attempts' texts are ever glued.

    A call that goes on from text already sent belongs to the attempt that sent it: same number, same chunks.
    """

    wanted: Request
    hold: Hold
    """Tells of the attempts that others began; the ledger is told of those that begin here."""
    stream: ReplyStream
    ledger: Ledger
    upstream: Upstream
    most: int
    """Upstream calls for one request, over all workers; those turned away don't count."""
    clock: Clock
    observer: Observer
    prices: PriceLists
    stopwatch: Stopwatch = field(init=False)
    _sent_at_ms: int = 0
    _text_sent: bool = False
    _pieces: int = 0
    _received: float = 0.0
    _so_far: SoFar = field(default_factory=SoFar)
    _goes_on: bool = False
    _beside: int = 0  # calls beside the attempts: one more when it goes on, one less when handed over
    _billed: int = 0
    _account: str = ""
    _turned_away: int = field(init=False)  # over all workers

    def __post_init__(self) -> None:
        """The request has just arrived here."""
        self._turned_away = self.wanted.turned_away
        self.stopwatch = Stopwatch(self.clock)

    @property
    def started(self) -> int:
        """How many attempts have begun, over all workers."""
        return self.hold.attempts

    @property
    def request(self) -> Request:
        """What to ask the upstream next: the request, or only the rest of its answer."""
        return continued(self.wanted, self._so_far) if self._goes_on else self.wanted

    @contextmanager
    def at_work_on(self, wanted: Request) -> Generator[None]:
        """Make the calls of the block for `wanted`, for as long as the hold lets it.

        Raises:
            Exception: the reason that stopped the hold.
        """
        self.wanted = wanted
        try:
            with self.hold.working():
                yield
        except PostponedError as postponed:
            postponed.turned_away = self._turned_away
            raise

    async def attempt(self, limiter: Limiter, deadline: Deadline) -> Completion:
        """Wait for a permit, then make the next call; raises what either does."""
        while True:  # until an account has made the call
            with self.stopwatch.waiting_for_permit():
                permit = await limiter.acquire(self.wanted, deadline, self.waits)
            if (completion := await self.make(permit, deadline)) is not None:
                return completion

    async def make(self, permit: Permit, deadline: Deadline) -> Completion | None:
        """Make the next call under `permit`, and give that back; None where another account is to make it.

        Raises:
            CompletionError: anything but a whole answer.
            PostponedError: no call makes sense now.
            LostError: it must not start.
        """
        ended: Completion | CompletionError | None = None
        called = False
        self._account = self.hold.account = permit.account
        try:
            with permit.kept():
                async with self.upstream.admitted(self.wanted, permit.account) as upstream:
                    await self.begin()
                    called = True
                    ended = completion = await upstream.complete(self.request, deadline, self.send)
        except PostponedError as postponed:
            if not self.upstream.hands_over(self.wanted, permit.account, postponed):
                raise
            return None
        except CompletionError as error:
            ended = error
            if not called or not self.upstream.hands_over(self.wanted, permit.account, error):
                raise
            self._leave_to_another(error)
            return None
        finally:
            self._left(permit, ended) if called else permit.give_back()
        return completion

    def waits(self, position: int, estimate_s: float | None) -> None:
        """Tell a caller who asked for it how many requests are before this one."""
        if self.wanted.waiting:
            self.stream.wait(position, None if estimate_s is None else round(estimate_s * 1000))

    async def begin(self) -> None:
        """Start the next call, and tell the reader what it has to know.

        Raises:
            LostError, CompletionError: it must not start.
        """
        self._pieces, self._received = 0, 0.0
        self.hold.check_may_call()
        if self._goes_on:
            await self.ledger.go_on(self.hold)  # others may have ended the request meanwhile
            self.observer.attempted(self.started, self._account)
            self._beside += 1
            return
        number = await self.ledger.begin_attempt(self.hold)
        self.observer.attempted(number, self._account)
        self._sent_at_ms = self.clock.now_ms()
        if self.hold.void is not None:
            self.stream.restart(number, self.hold.void)
        elif number == 1:
            self.stream.accept(number)
        else:
            self.stream.retry(number)
        self.hold.void = None
        self._text_sent = False

    def send(self, delta: Delta) -> None:
        """Pass a delta on to the reader."""
        if not self._pieces:
            self._text_sent, self.hold.void = True, WORKER_LOST
        self._pieces += 1
        self._received += delta.tokens
        self.stream.send(delta)

    async def worth_repeating(self, error: CompletionError) -> bool:
        """Whether to call again after `error`; where text was sent, the caller's wish decides.

        Raises:
            PostponedError: not now, but later.
            LostError: not here.
        """
        self.observer.failed(error, self._account)
        refused_to_go_on = self._goes_on and error.code is ErrorCode.UPSTREAM_REJECTED
        self._remember(error)
        if refused_to_go_on:
            self._goes_on = False
        may_repeat = False
        try:
            may_repeat = await self._may_repeat(error, again=error.again or refused_to_go_on)
            if may_repeat:
                self.hold.check_may_call()
        finally:
            if not (may_repeat and self._goes_on):
                self._ended(error.code, error.upstream.trace_id if error.upstream else None)
        return may_repeat

    def succeeded(self, completion: Completion) -> Completion:
        """Remember that the last call succeeded; returns the whole answer."""
        self._ended("result", completion.trace_id)
        self.observer.answered(self._account)
        whole = joined(self._so_far, completion) if self._goes_on else completion
        prices, usage = self.prices.of(self._account), whole.response.get("usage")
        bill = prices.bill(self.wanted.model, usage, self._sent_at_ms, estimated=whole.estimated)
        return replace(whole, cost=bill, account=self._account)

    def ended(self, terminal: Terminal) -> None:
        """Tell the operators that the request has ended."""
        ms, billed = self.stopwatch.took().total_ms, self.hold.attempts_before + self._billed
        self.observer.ended(self.wanted, terminal.outcome, self.started, ms, billed, self._account)

    def heard(self, sent: Sent) -> Sent:
        """Tell the operators what became of the chunks; returns the same."""
        if self.wanted.stream:
            self.observer.sent(sent)
        return sent

    def _left(self, permit: Permit, ended: Completion | CompletionError | None) -> None:
        permit.release(ended, self._received)
        self.observer.called(self.wanted, ended)
        self._billed += may_be_billed(ended)

    def _leave_to_another(self, error: CompletionError) -> None:
        """What an account refuses for its own sake counts against no request."""
        self.observer.failed(error, self._account)
        self._beside -= 1
        if not self._goes_on:
            self._ended(error.code, error.upstream.trace_id if error.upstream else None)

    def _remember(self, error: CompletionError) -> None:
        """Keep what the reader has seen: its text is void, unless the next call goes on from it."""
        if not self._text_sent:
            return
        before = self._so_far if self._goes_on else SoFar()
        text_is_known = bool(error.partial) or not self._pieces
        self._so_far = before.after(error, self._pieces)
        error.partial = self._so_far.texts
        self.hold.void = error.code
        wishes_to = text_is_known and self.wanted.on_break is OnBreak.CONTINUE
        self._goes_on = wishes_to and may_continue(self.wanted, self._so_far)

    async def _may_repeat(self, error: CompletionError, *, again: bool) -> bool:
        self._turned_away += error.turned_away
        postponed = self.upstream.postpones(error, self._turned_away)
        if postponed is not None and not again:
            raise postponed
        unwanted = self._text_sent and self.wanted.on_break is OnBreak.FAIL
        if not again or unwanted or self.started + self._beside - self._turned_away >= self.most:
            return False
        if postponed is not None:
            raise postponed
        return await self.upstream.may_repeat(self.wanted, error, self._account)

    def _ended(self, outcome: str, trace_id: str | None) -> None:
        self.hold.ended(self.clock.now_ms(), outcome, trace_id)


def may_be_billed(ended: Completion | CompletionError | None) -> bool:
    """Whether DeepSeek may send a bill for a call: all but those that it refused or never answered."""
    if isinstance(ended, CompletionError):
        return ended.upstream is not None and ended.upstream.status == _OK
    return True
