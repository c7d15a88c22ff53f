"""The attempts of one request: their numbers, what their reader was told, and where the time went."""

from collections.abc import Generator
from contextlib import contextmanager

from fleet_chassis.clock import Clock
from fleet_contracts.grammar import OnBreak
from fleet_worker.completion import Completion, CompletionError, Delta
from fleet_worker.composing import Took
from fleet_worker.hold import WORKER_LOST, Hold
from fleet_worker.observing import Observer
from fleet_worker.ports import Ledger, ReplyStream
from fleet_worker.request import Request
from fleet_worker.terminal import Terminal


class Attempts:
    """Numbers each start of an upstream call, and makes sure that no two attempts' texts are ever glued."""

    def __init__(
        self,
        request: Request,
        hold: Hold,
        stream: ReplyStream,
        ledger: Ledger,
        clock: Clock,
        observer: Observer,
    ) -> None:
        """`hold`: tells of the attempts that others began, and the ledger of those that begin here."""
        self._request = request
        self._hold = hold
        self._stream = stream
        self._ledger = ledger
        self._clock = clock
        self._observer = observer
        self._arrived = clock.monotonic()
        self._permit_s = 0.0
        self._sent_at_ms = 0
        self._text_sent = False

    @property
    def started(self) -> int:
        """How many attempts have begun, over all workers."""
        return self._hold.attempts

    @contextmanager
    def waiting_for_permit(self) -> Generator[None]:
        """Count the time in the block as waiting for a permit."""
        began = self._clock.monotonic()
        yield
        self._permit_s += self._clock.monotonic() - began

    async def begin(self) -> None:
        """Start the next attempt, and tell the reader what it has to know.

        Raises:
            LostError: it must not start.
        """
        number = await self._ledger.begin_attempt(self._hold)
        self._sent_at_ms = self._clock.now_ms()
        self._observer.attempted()
        if self._hold.void is not None:
            self._stream.restart(number, self._hold.void)
        elif number == 1:
            self._stream.accept(number)
        else:
            self._stream.retry(number)
        self._hold.void = None
        self._text_sent = False

    def send(self, delta: Delta) -> None:
        """Pass a delta on to the reader."""
        self._text_sent = True
        self._hold.void = WORKER_LOST
        self._stream.send(delta)

    def worth_repeating(self, error: CompletionError) -> bool:
        """Whether to make another attempt after `error`; where text was sent, the caller's wish decides."""
        self._observer.failed(error)
        trace_id = error.upstream.trace_id if error.upstream else None
        self._hold.ended(self._clock.now_ms(), error.code, trace_id)
        if self._text_sent:
            self._hold.void = error.code
            return error.again and self._request.on_break is not OnBreak.FAIL
        return error.again

    def succeeded(self, completion: Completion) -> None:
        """Remember that the last attempt gave the whole answer."""
        self._hold.ended(self._clock.now_ms(), "result", completion.trace_id)

    def took(self) -> Took:
        """Where the time went so far."""
        total_s = self._clock.monotonic() - self._arrived
        return Took(round(self._permit_s * 1000), round(total_s * 1000), self._sent_at_ms)

    def ended(self, terminal: Terminal) -> None:
        """Tell the operators that the request has ended."""
        self._observer.ended(self._request, terminal.outcome, self.started, self.took().total_ms)
