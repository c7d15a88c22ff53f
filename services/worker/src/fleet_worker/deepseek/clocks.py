"""How long an upstream call may be silent, and the one timer that watches over it."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fleet_chassis.clock import Clock
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.deepseek.errors import deadline_passed, silent

_SHARE_OF_GAP = 0.1
_LONGEST_SLACK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """How long an upstream call may go on without a sign of life, in seconds.

    Only text, a piece of a tool call or a log probability is a sign of life: keep-alive comments, blank lines
    and empty deltas go on for ever where a call is stuck. DeepSeek itself closes a call that it has not begun
    after 10 minutes (https://api-docs.deepseek.com/quick_start/rate_limit).

    An unstreamed answer comes in one piece, so that only `connect_s`, `headers_s` and `total_s` watch it.

    Attributes:
        connect_s: To find the host and connect, TLS included.
        headers_s: From the start of the call to the answer's headers.
        first_content_s: From the headers to the first content.
        gap_s: Between two pieces of content; rings up to a tenth, and at most a second, late.
        after_finish_s: From the finish reason to the end of the stream.
        total_s: From the start of the call to the end of the answer.
    """

    connect_s: float = 10
    headers_s: float = 60
    first_content_s: float = 660
    gap_s: float = 120
    after_finish_s: float = 10
    total_s: float = 1800


@dataclass(frozen=True, slots=True)
class _Alarm:
    """When a clock rings (monotonic), which one, and what it was set to."""

    at: float
    clock: str
    seconds: float


class Watch:
    """Ends its block when the upstream has been silent for too long, or when nobody wants the answer.

    One timer for the whole call. Content moves it on, but not each time: it is set a little late and then
    left alone for that little while, so that a fast stream costs no timer for each chunk.

    Raises:
        CompletionError: on leaving the block, with the clock that rang in its message.
    """

    __slots__ = (
        "_alarm",
        "_clock",
        "_clocks",
        "_deadline",
        "_first_content",
        "_fresh_until",
        "_last_content",
        "_longest_gap",
        "_slack_s",
        "_started",
        "_timer",
        "_total",
    )

    def __init__(self, clocks: Clocks, deadline: Deadline, clock: Clock) -> None:
        self._clocks = clocks
        self._clock = clock
        self._timer = asyncio.timeout(None)
        self._slack_s = min(_LONGEST_SLACK_S, clocks.gap_s * _SHARE_OF_GAP)
        self._started = clock.monotonic()
        self._first_content: float | None = None
        self._last_content = 0.0
        self._longest_gap = 0.0
        self._total = _Alarm(self._started + clocks.total_s, "total", clocks.total_s)
        self._deadline = _Alarm(deadline.at, "deadline", 0)
        self._alarm = self._total
        self._fresh_until = float("-inf")

    async def __aenter__(self) -> Self:
        await self._timer.__aenter__()
        self._set("headers", self._clocks.headers_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._timer.__aexit__(kind, error, trace)
        except TimeoutError as rang:
            raise self._error() from rang

    @property
    def elapsed_ms(self) -> int:
        """From the start of the call until now."""
        return self._since_start_ms(self._clock.monotonic())

    @property
    def first_content_ms(self) -> int | None:
        """From the start of the call to the first content; None where none came."""
        return None if self._first_content is None else self._since_start_ms(self._first_content)

    @property
    def longest_gap_ms(self) -> int | None:
        """The longest time between two pieces of content; None where there were no two."""
        return round(self._longest_gap * 1000) if self._longest_gap else None

    def wait_for_content(self) -> None:
        """The headers of a streamed answer came."""
        self._set("first content", self._clocks.first_content_s)

    def wait_for_body(self) -> None:
        """The headers of an unstreamed answer came."""
        self._set("total", self._clocks.total_s)

    def content(self) -> None:
        """Content came."""
        now = self._clock.monotonic()
        if self._first_content is not None and now - self._last_content > self._longest_gap:
            self._longest_gap = now - self._last_content
        self._last_content = now
        if now >= self._fresh_until:
            self._first_content = now if self._first_content is None else self._first_content
            self._fresh_until = now + self._slack_s
            self._set("gap", self._clocks.gap_s, self._slack_s)

    def finished(self) -> None:
        """The finish reason came: what comes now is no content."""
        self._fresh_until = float("inf")
        self._set("after finish", self._clocks.after_finish_s)

    def stop(self) -> None:
        """The answer is whole: nothing rings any more."""
        self._timer.reschedule(None)

    def _set(self, name: str, seconds: float, slack_s: float = 0) -> None:
        now = self._clock.monotonic()
        alarm = _Alarm(now + seconds + slack_s, name, seconds)
        self._alarm = min(alarm, self._total, self._deadline, key=lambda each: each.at)
        # asyncio counts by its loop, which need not agree with the clock about what time it is.
        self._timer.reschedule(asyncio.get_running_loop().time() + self._alarm.at - now)

    def _since_start_ms(self, moment: float) -> int:
        return round((moment - self._started) * 1000)

    def _error(self) -> CompletionError:
        if self._alarm is self._deadline:
            return deadline_passed()
        return silent(self._alarm.clock, self._alarm.seconds)
