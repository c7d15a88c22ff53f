"""Where the time of one request goes."""

from collections.abc import Generator
from contextlib import contextmanager

from fleet_chassis.clock import Clock
from fleet_worker.composing import Took


class Stopwatch:
    """Runs from the moment at which it is made."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._permit_s = 0.0

    @contextmanager
    def waiting_for_permit(self) -> Generator[None]:
        """Count the time in the block as waiting for a permit."""
        began = self._clock.monotonic()
        yield
        self._permit_s += self._clock.monotonic() - began

    def took(self) -> Took:
        """Where the time went so far."""
        total_s = self._clock.monotonic() - self._began
        return Took(round(self._permit_s * 1000), round(total_s * 1000))
