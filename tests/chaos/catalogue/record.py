"""The last runs as they are checked in: a line for each entry and generation of RabbitMQ, and README's table.

The table is printed from the record alone, and a test compares the two.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from chaos.catalogue.entry import Entry, Outcome
from chaos.catalogue.every import ENTRIES
from chaos.catalogue.results import outcome_of
from chaos.catalogue.table import page

FOLDER = Path(__file__).parents[1]
RECORD = FOLDER / "catalogue.jsonl"
README = FOLDER / "README.md"
BEGINS = "<!-- printed by make chaos-all ARGS=--record -->"
ENDS = "<!-- until here -->"

Played = dict[str, dict[str, Outcome]]
"""Outcomes by the generation of the broker, and by the entry's name."""


def generation_of(version: str) -> str:
    """What a version of RabbitMQ shares with others that behave alike: 4.3 of 4.3.6."""
    return ".".join(version.split(".")[:2])


def read(record: Path) -> Played:
    """What the record holds, the oldest generation first."""
    played: Played = {}
    for line in record.read_bytes().splitlines() if record.exists() else []:
        fields = orjson.loads(line)
        name, outcome = fields.pop("name"), outcome_of(fields)
        played.setdefault(generation_of(outcome.broker), {})[name] = outcome
    return dict(sorted(played.items(), key=lambda known: [int(each) for each in known[0].split(".")]))


def write_down(latest: Mapping[str, Outcome | None], record: Path) -> None:
    """Put outcomes in the place of older ones on the same generation; what was not played stays as it is."""
    versions = [each.broker for each in latest.values() if each and each.broker]
    if not versions:
        raise ValueError("nothing was played on this broker yet: run `make chaos-all` first")
    played = read(record)
    for name, outcome in latest.items():
        if outcome is not None:
            # One that was not played to its end does not know where it was.
            told = dataclasses.replace(outcome, broker=outcome.broker or max(versions))
            played.setdefault(generation_of(told.broker), {})[name] = told
    record.write_bytes(b"".join(_lines(played)))


def _lines(played: Played) -> Iterable[bytes]:
    for entry in ENTRIES:
        for outcomes in played.values():
            if outcome := outcomes.get(entry.name):
                yield orjson.dumps({"name": entry.name, **dataclasses.asdict(outcome)}) + b"\n"


def printed(record: Path, entries: Iterable[Entry] = ENTRIES) -> str:
    """The table as it stands in README.md."""
    return "\n".join(page(tuple(entries), read(record))).strip()


def put_into(readme: Path, record: Path) -> None:
    """Print the table anew where it stands. Raises ValueError where its marks are gone."""
    text = readme.read_text()
    before, begins, rest = text.partition(BEGINS)
    _, ends, after = rest.partition(ENDS)
    if not (begins and ends):
        raise ValueError(f"{readme} has no table between {BEGINS} and {ENDS}: put the two lines back")
    readme.write_text(f"{before}{begins}\n\n{printed(record)}\n\n{ends}{after}")
