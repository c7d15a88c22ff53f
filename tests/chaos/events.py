"""What each party saw, as JSON lines: the only thing that the checker believes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import orjson


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that somebody saw or did, at Unix time `at` in seconds."""

    at: float
    kind: str
    request: str = ""
    fields: dict[str, Any] = field(default_factory=dict[str, Any])


class EventLog:
    """Appends events to a file; what was written is there even if the writer is killed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, event: Event) -> None:
        self._file.write(
            orjson.dumps({"at": event.at, "kind": event.kind, "request": event.request, **event.fields})
            + b"\n"
        )

    def flush(self) -> None:
        self._file.flush()


def read_events(file: Path) -> Iterator[Event]:
    """The events of a file; a last line that was cut by a kill is left out."""
    with file.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                fields: dict[str, Any] = orjson.loads(line)
                yield Event(fields.pop("at"), fields.pop("kind"), fields.pop("request", ""), fields)
