"""The attempts of one request: their numbers, what their reader was told, and where the time went."""

from collections.abc import Generator
from contextlib import contextmanager

from fleet_chassis.clock import Clock
from fleet_contracts.grammar import OnBreak
from fleet_worker.completion import CompletionError, Delta
from fleet_worker.composing import Took
from fleet_worker.observing import Observer
from fleet_worker.ports import ReplyStream
from fleet_worker.request import Request
from fleet_worker.terminal import Terminal

WORKER_LOST = "worker_lost"


class Attempts:
    """Numbers each start of an upstream call, and makes sure that no two attempts' texts are ever glued."""

    def __init__(
        self, request: Request, stream: ReplyStream, before: int, clock: Clock, observer: Observer
    ) -> None:
        """`before`: attempts that other workers started, whose text may have been sent."""
        self._request = request
        self._stream = stream
        self._clock = clock
        self._observer = observer
        self._arrived = clock.monotonic()
        self._permit_s = 0.0
        self._sent_at_ms = 0
        self._void_text = WORKER_LOST if before else None
        self._text_sent = False
        self.started = before

    @contextmanager
    def waiting_for_permit(self) -> Generator[None]:
        """Count the time in the block as waiting for a permit."""
        began = self._clock.monotonic()
        yield
        self._permit_s += self._clock.monotonic() - began

    def begin(self) -> None:
        """Start the next attempt, and tell the reader what it has to know."""
        first = self.started == 0
        self.started += 1
        self._sent_at_ms = self._clock.now_ms()
        self._observer.attempted()
        if self._void_text is not None:
            self._stream.restart(self.started, self._void_text)
        elif first:
            self._stream.accept(self.started)
        else:
            self._stream.retry(self.started)
        self._void_text = None
        self._text_sent = False

    def send(self, delta: Delta) -> None:
        """Pass a delta on to the reader."""
        self._text_sent = True
        self._stream.send(delta)

    def worth_repeating(self, error: CompletionError) -> bool:
        """Whether to make another attempt after `error`; where text was sent, the caller's wish decides."""
        self._observer.failed(error)
        if self._text_sent:
            self._void_text = error.code
            return error.again and self._request.on_break is not OnBreak.FAIL
        return error.again

    def took(self) -> Took:
        """Where the time went so far."""
        total_s = self._clock.monotonic() - self._arrived
        return Took(round(self._permit_s * 1000), round(total_s * 1000), self._sent_at_ms)

    def ended(self, terminal: Terminal) -> None:
        """Tell the operators that the request has ended."""
        self._observer.ended(self._request, terminal.outcome, self.started, self.took().total_ms)
