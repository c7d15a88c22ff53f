"""Pure: what the journal of a batch says, line by line.

The first line is the `Begun` of the batch, each later one an `Input` (the file as a run found it), an `Entry`
(how one line of it stands), or a `Whole` (the results file is complete up to there). A line that was torn by
a kill is no record, and nothing behind it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

import orjson

FORMAT = 1


class Standing(StrEnum):
    """How a line stands; one that no entry speaks of is open."""

    DONE = "done"
    FAILED = "failed"
    AGAIN = "again"
    """It failed, and is to be asked anew."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The batch: its name, who asks, and what the command line said about every line (texts as digests)."""

    name: str
    tenant: str
    choices: dict[str, Any]

    def fields(self) -> Any:
        """As JSON."""
        return {"batch": self.name, "format": FORMAT, "tenant": self.tenant, "choices": self.choices}


@dataclass(frozen=True, slots=True)
class Input:
    """The input file as a run found it: its path, its last line's number, requests, digest of all lines."""

    path: str
    last: int
    lines: int
    sha256: str

    def fields(self) -> Any:
        """As JSON."""
        return {"input": self.path, "last": self.last, "lines": self.lines, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Entry:
    """How one line stands now.

    Attributes:
        number: the line's.
        standing: how it stands.
        retry: which asking of it that was, or (`again`) is next.
        end: bytes of answers in the results file, this one's included.
        prompt_tokens: of every answer to it that this entry tells of.
        completion_tokens: the same.
        cost_nano: the same, in billionths of a dollar.
        failure: of a failed line, what the results file is to say of it.
    """

    number: int
    standing: Standing
    retry: int
    end: int
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nano: int = 0
    failure: dict[str, Any] | None = field(default=None, repr=False)

    def fields(self) -> Any:
        """As JSON: a list, because there may be a million of them."""
        figures = [self.prompt_tokens, self.completion_tokens, self.cost_nano]
        shown = [self.number, self.standing, self.retry, self.end, *figures]
        return shown if self.failure is None else [*shown, self.failure]


@dataclass(frozen=True, slots=True)
class Whole:
    """A run has ended: the results file has so many bytes, the failed lines included."""

    size: int

    def fields(self) -> Any:
        """As JSON."""
        return {"whole": self.size}


Record = Begun | Input | Entry | Whole


def line_of(record: Record) -> bytes:
    """The journal's line for a record."""
    return orjson.dumps(record.fields()) + b"\n"


def records_in(lines: Iterator[bytes]) -> Iterator[tuple[Record, int]]:
    """Each record with the number of bytes up to its end; ends at the first line that is none."""
    end = 0
    for line in lines:
        record = record_in(line)
        if record is None:
            return
        end += len(line)
        yield record, end


def record_in(line: bytes) -> Record | None:
    """The record in a line; None where it is torn."""
    if not line.endswith(b"\n"):
        return None
    try:
        return _record(orjson.loads(line))
    except (ValueError, KeyError, TypeError):
        return None


def _record(fields: Any) -> Record:
    match fields:
        case [int(), str(), *_]:
            number, standing, *rest = cast("list[Any]", fields)
            return Entry(number, Standing(standing), *rest)
        case {"batch": name, "format": 1}:
            return Begun(name, fields["tenant"], fields["choices"])
        case {"input": path}:
            return Input(path, fields["last"], fields["lines"], fields["sha256"])
        case {"whole": size}:
            return Whole(size)
        case _:
            raise ValueError("no record")
