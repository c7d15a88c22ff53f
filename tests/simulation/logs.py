"""What the workers' own logs say of errors, in the history of the run."""

from typing import Any

from simulation.world import World


class NotedLog:
    """A log that writes down errors, in the run that is on."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world

    def bind(self, **_fields: Any) -> "NotedLog":
        """The same log."""
        return self

    def debug(self, _event: str, **_fields: Any) -> None:
        """Nothing."""

    info = warning = debug

    def error(self, event: str, **fields: Any) -> None:
        """Write it down."""
        if self.world is not None:
            self.world.note("log", event, repr(fields["error"]) if "error" in fields else "")

    exception = critical = error


LOG = NotedLog()
"""One for all runs of this process, as what is built with it is."""
