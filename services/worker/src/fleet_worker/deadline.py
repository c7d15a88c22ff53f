"""Until when an answer is wanted."""

from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_worker.request import Request


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock after which nobody wants the answer."""

    at: float

    @classmethod
    def of(cls, request: Request, clock: Clock, longest_s: float) -> "Deadline":
        """The request's own deadline, and never later than `longest_s` seconds from now."""
        now = clock.monotonic()
        if request.deadline_ms is None:
            return cls(now + longest_s)
        left_s = (request.deadline_ms - clock.now_ms()) / 1000
        return cls(now + min(left_s, longest_s))

    def left_s(self, clock: Clock) -> float:
        """Seconds until it passes; negative after it passed."""
        return self.at - clock.monotonic()

    def passed(self, clock: Clock) -> bool:
        """Whether it is over."""
        return self.left_s(clock) <= 0
