"""How late an event loop is: what it promised to do at a moment, it did so many seconds after that."""

from prometheus_client import CollectorRegistry, Histogram

from fleet_chassis.clock import Clock

EVERY_S = 0.5
_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30)


def lag_histogram(registry: CollectorRegistry) -> Histogram:
    """Where it is counted."""
    return Histogram(
        "fleet_loop_lag_seconds",
        "How late the event loop did what was due, looked at twice a second",
        registry=registry,
        buckets=_SECONDS,
    )


async def watch_lag(lag: Histogram, clock: Clock) -> None:
    """Look at it until cancelled. A loop can't tell by itself how late it is, so this has to ask."""
    while True:
        due = clock.monotonic() + EVERY_S
        await clock.sleep(EVERY_S)
        lag.observe(max(0.0, clock.monotonic() - due))
