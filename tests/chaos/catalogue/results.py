"""What became of each entry, kept from one run to the next by the version of the code that was tried."""

import dataclasses
import inspect
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from chaos.catalogue.entry import Entry, Outcome, Verdict

ROOT = Path(__file__).parents[3]
KEPT = ROOT / ".fleet" / "catalogue.jsonl"
TRIED = ("contracts/src", "services/chassis/src", "services/worker/src", "services/client/src")
DIGITS = 12
FOUND = "found"
"""The broker that the stack finds by itself."""


class Results:
    """Outcomes in a file of JSON lines: the last one of an entry, a version and a broker is the one."""

    def __init__(self, broker: str, file: Path = KEPT) -> None:
        self._broker = broker
        self._file = file
        self._fleet = _digest([path for folder in TRIED for path in sorted((ROOT / folder).rglob("*.*"))])

    def of(self, entry: Entry) -> Outcome | None:
        """How the entry came out with this very code, if it was played."""
        return self._last(entry, self._key(entry))

    def latest(self, entry: Entry) -> Outcome | None:
        """How it came out last on this broker, with whatever code."""
        return self._last(entry, self._broker or FOUND)

    def keep(self, entry: Entry, outcome: Outcome) -> None:
        """Write an outcome down."""
        self._file.parent.mkdir(exist_ok=True)
        line = {"name": entry.name, "key": self._key(entry), "outcome": dataclasses.asdict(outcome)}
        with self._file.open("ab") as file:
            # Begun on a line of its own: a kill may have cut the last one off.
            file.write(b"\n" + orjson.dumps(line) + b"\n")

    def _last(self, entry: Entry, key: str) -> Outcome | None:
        found = [
            line["outcome"]
            for line in self._lines()
            if line["name"] == entry.name and f"{line['key']} ".startswith(f"{key} ")
        ]
        return outcome_of(found[-1]) if found else None

    def _key(self, entry: Entry) -> str:
        # An entry is played anew where the fleet changed, or the entry itself.
        played = sha256(inspect.getsource(entry.play).encode()).hexdigest()[:DIGITS]
        return f"{self._broker or FOUND} {self._fleet} {played}"

    def _lines(self) -> list[dict[str, Any]]:
        if not self._file.exists():
            return []
        return [orjson.loads(line) for line in self._file.read_bytes().splitlines() if line.endswith(b"}")]


def outcome_of(fields: dict[str, Any]) -> Outcome:
    """An outcome from what JSON holds of it."""
    others = {name: value for name, value in fields.items() if name != "verdict"}
    return Outcome(Verdict(fields["verdict"]), **others)


def _digest(paths: list[Path]) -> str:
    whole = sha256()
    for path in paths:
        if path.suffix in {".py", ".lua", ".json"}:
            whole.update(path.read_bytes())
    return whole.hexdigest()[:DIGITS]
