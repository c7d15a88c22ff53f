"""A stream that breaks when a test says so: a worker that reads text and break in one go has sent no text."""

from collections.abc import Callable

from fleet_simulator.faults import Fault, Kind, Match
from fleet_simulator.server import Running


def break_once_seen(
    simulator: Running,
    kind: Kind = Kind.EOF_WITHOUT_DONE,
    match: Match | None = None,
    after_chunks: int = 4,
) -> Callable[[], object]:
    """One call stands still after so many chunks, and breaks in this way when what is returned is called."""
    which = match or Match()
    hold = simulator.inject(Fault(Kind.HOLD, which, after_chunks=after_chunks, times=1))
    simulator.inject(Fault(kind, which, after_chunks=after_chunks, times=1))
    return lambda: simulator.faults.remove(hold.id)
