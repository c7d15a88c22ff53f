"""Looks a whole input file over before anything is sent: nothing is paid for a file that is wrong."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import orjson

from fleet_cli.batch.keys import Keys, digest_of
from fleet_cli.batch.line import Choices, LineError, line_of
from fleet_cli.batch.source import MOST_BYTES, Raw, lines_of
from fleet_cli.wrong_input import WrongInputError
from fleet_client import Line
from fleet_contracts.grammar import MAX_REQUEST_BYTES

_MOST_NAMED = 10
_LONGEST_ESCAPE = 6
_ENVELOPE_BYTES = 1024
"""Room for what is added to a line: a system message's frame, a model's name."""


@dataclass(slots=True)
class Checked:
    """What is known of an input file once all of it was read.

    Attributes:
        lines: requests in it; blank lines are none.
        last: the number of its last line, blank lines counted.
        bytes: of all lines.
        sha256: of all lines.
        known_sha256: of as many lines as an earlier run had found; empty where there are fewer.
        models: how many lines ask which model.
        problems: what is wrong, by the line's number; the first few.
        wrong: lines that are wrong.
    """

    lines: int = 0
    last: int = 0
    bytes: int = 0
    sha256: str = ""
    known_sha256: str = ""
    models: Counter[str] = field(default_factory=Counter[str])
    problems: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    wrong: int = 0

    def complain(self, number: int, what: str) -> None:
        """Note that a line is wrong."""
        self.wrong += 1
        if len(self.problems) < _MOST_NAMED:
            self.problems.append((number, what))

    def sentences(self) -> list[str]:
        """What is wrong, line by line, the last sentence for all that is not named."""
        more = self.wrong - len(self.problems)
        named = [f"line {number}: {what}" for number, what in sorted(self.problems)]
        return [*named, *([f"and {more} more lines are wrong"] if more > 0 else [])]


class WrongLinesError(WrongInputError):
    """Lines of the input are wrong; `sentences` names them."""

    def __init__(self, found: Checked, path: Path) -> None:
        super().__init__(
            f"nothing was sent, because {found.wrong} of {found.lines} lines of {path} have to be corrected "
            "first; `fleet batch check` looks at it again"
        )
        self.sentences = found.sentences()


def checked(path: Path, choices: Choices, known: int = 0) -> Checked:
    """Read and check every line.

    Args:
        path: the input file.
        choices: what the command line says about every line.
        known: how many lines an earlier run had found.

    Raises:
        WrongInputError: the file can't be read.
    """
    found, keys, whole = Checked(), Keys(), sha256()
    for raw in lines_of(path):
        found.last = raw.number
        found.bytes += len(raw.text or b"")
        # A line end at the end of the file is there once the next line is.
        whole.update((raw.text or b"").rstrip(b"\r\n") + b"\n")
        if raw.number == known:
            found.known_sha256 = whole.hexdigest()
        if raw.is_blank:
            continue
        found.lines += 1
        try:
            line = _sound(raw, choices)
        except LineError as error:
            found.complain(raw.number, str(error))
            continue
        keys.add(line.key)
        found.models[str(line.fields["model"])] += 1
    found.sha256 = whole.hexdigest()
    _complain_of_repeated(found, path, choices, keys.repeated())
    return found


def demand(found: Checked, path: Path) -> None:
    """Refuse a file that is wrong.

    Raises:
        WrongLinesError: lines of it are wrong.
        WrongInputError: nothing is in it.
    """
    if found.wrong:
        raise WrongLinesError(found, path)
    if not found.lines:
        raise WrongInputError(f"{path} has no lines: write one prompt, or one JSON object, on each")


def _sound(raw: Raw, choices: Choices) -> Line:
    if raw.text is None:
        raise LineError(f"it is longer than {MOST_BYTES} bytes: a request may have {MAX_REQUEST_BYTES}")
    line = line_of(raw.text, raw.number, choices)
    size = _size_of(line, raw.text, choices)
    if size > MAX_REQUEST_BYTES:
        raise LineError(f"its request has {size} bytes and may have {MAX_REQUEST_BYTES}: send less text")
    return line


def _size_of(line: Line, text: bytes, choices: Choices) -> int:
    # Only what may come near the limit is worth encoding.
    most = len(text) + len(choices.system.encode()) + len(choices.instruction.encode()) + _ENVELOPE_BYTES
    if most * _LONGEST_ESCAPE <= MAX_REQUEST_BYTES:
        return most
    return len(orjson.dumps({"messages": line.prompt, **line.fields}))


def _complain_of_repeated(found: Checked, path: Path, choices: Choices, repeated: set[int]) -> None:
    if not repeated:
        return
    first: dict[str, int] = {}
    for number, key in _keys_of(path, choices):
        if digest_of(key) in repeated:
            if key in first:
                found.complain(number, f"custom_id {key[:80]!r} was used in line {first[key]} already")
            first.setdefault(key, number)


def _keys_of(path: Path, choices: Choices) -> Iterator[tuple[int, str]]:
    for raw in lines_of(path):
        if raw.text is None or raw.is_blank:
            continue
        try:
            yield raw.number, line_of(raw.text, raw.number, choices).key
        except LineError:
            continue
