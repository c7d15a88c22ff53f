"""Pure: what waits to be sent to a reader. Deltas that wait together leave as one chunk."""

from collections import deque
from dataclasses import dataclass
from typing import Any

from fleet_worker.completion import Delta

MAX_CHUNK_CHARACTERS = 64 * 1024


@dataclass(frozen=True, slots=True)
class Announcement:
    """`accepted` (no reason) or `restarted`: what is said about an attempt before its chunks."""

    attempt: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class InLine:
    """`waiting`: where the request stands in line for a permit."""

    position: int
    estimate_ms: int | None


class _Text:
    """Deltas of one field of text, gathered without an object for each: thousands of them may wait."""

    __slots__ = ("characters", "field", "parts")

    def __init__(self, field: str, text: str) -> None:
        self.field = field
        self.parts = [text]
        self.characters = len(text)

    def joined(self) -> Delta:
        """All of them as one."""
        parts = self.parts
        return Delta({self.field: parts[0] if len(parts) == 1 else "".join(parts)})


_Line = deque[Announcement | InLine | Delta | _Text]


class Outbox:
    """Announcements and deltas in order; joins neighbouring deltas of the same kind.

    Joining is clocked by the reader alone: whoever takes while little waits gets each delta at once, and
    whoever comes late gets what gathered meanwhile as one.
    """

    __slots__ = ("_alone", "_characters", "_line", "_max_characters")

    def __init__(self, max_characters: int) -> None:
        self._max_characters = max_characters
        self._alone: Delta | None = None
        """A delta that waits alone, as nearly every one does."""
        self._line: _Line | None = None
        """All that waits, where it is anything else."""
        self._characters = 0
        """In line."""

    def __bool__(self) -> bool:
        return self._alone is not None or self._line is not None

    def announce(self, announcement: Announcement) -> None:
        """Queue an announcement; the deltas of an attempt that has ended are dropped."""
        kept = [item for item in self._in_line() if not isinstance(item, Delta | _Text)]
        self._line = deque([*kept, announcement])
        self._characters = 0

    def place(self, place: InLine) -> None:
        """Queue where the request stands; what was not sent yet of where it stood is dropped."""
        kept = [item for item in self._in_line() if not isinstance(item, InLine)]
        self._line = deque([*kept, place])

    def add(self, delta: Delta) -> bool:
        """Queue a delta; False, and nothing queued, where more than `max_characters` would wait."""
        size = _characters(delta)
        if self._alone is None and self._line is None:
            if size <= self._max_characters:
                self._alone = delta
                return True
            return False
        line = self._in_line()
        if self._characters + size > self._max_characters:
            return False
        self._characters += size
        _append(line, delta, size)
        return True

    def clear(self) -> None:
        """Drop everything."""
        self._alone = self._line = None
        self._characters = 0

    def take(self) -> Announcement | InLine | Delta | None:
        """The next announcement, or the next delta joined with those behind it that fit."""
        if self._line is None:
            alone, self._alone = self._alone, None
            return alone
        first = self._line.popleft()
        if isinstance(first, _Text):
            self._characters -= first.characters
            first = first.joined()
        elif isinstance(first, Delta):
            first = self._joined(self._line, first)
        if not self._line:
            self._line = None
        return first

    def _in_line(self) -> _Line:
        """The line, which begins with who waited alone."""
        if self._line is None:
            self._line, self._characters = deque(), 0
            if (alone := self._alone) is not None:
                self._alone = None
                self._characters = _characters(alone)
                _append(self._line, alone, self._characters)
        return self._line

    def _joined(self, line: _Line, first: Delta) -> Delta:
        parts, size = [first], _characters(first)
        while line and isinstance(following := line[0], Delta):
            size += _characters(following)
            if size > MAX_CHUNK_CHARACTERS or following.fields.keys() != first.fields.keys():
                break
            parts.append(following)
            line.popleft()
        self._characters -= sum(_characters(part) for part in parts)
        return first if len(parts) == 1 else join(parts)


def _append(line: _Line, delta: Delta, size: int) -> None:
    text = _text_of(delta)
    if text is None:
        line.append(delta)
        return
    (field,) = delta.fields
    last = line[-1] if line else None
    if type(last) is _Text and last.field == field and last.characters + size <= MAX_CHUNK_CHARACTERS:
        last.parts.append(text)
        last.characters += size
    else:
        line.append(_Text(field, text))


def _text_of(delta: Delta) -> str | None:
    """Of a delta of one field of text and nothing else."""
    if delta.logprobs is None and len(delta.fields) == 1:
        (text,) = delta.fields.values()
        if type(text) is str:
            return text
    return None


def join(parts: list[Delta]) -> Delta:
    """One delta with the text of several of the same kind, in order."""
    names = parts[0].fields.keys()
    fields = {name: _joined([part.fields[name] for part in parts]) for name in names}
    logprobs = [part.logprobs for part in parts if part.logprobs]
    return Delta(fields, _joined_logprobs(logprobs) if logprobs else None)


def _joined(values: list[Any]) -> Any:
    if isinstance(values[0], str):
        return "".join(values)
    return [item for value in values for item in value]


def _joined_logprobs(parts: list[dict[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: _joined([part[name] for part in parts if part.get(name)] or [[]]) for name in names}


def _characters(delta: Delta) -> int:
    if (text := _text_of(delta)) is not None:
        return len(text)
    values = [*delta.fields.values(), *((delta.logprobs or {}).values())]
    return sum(len(value) if isinstance(value, str) else len(str(value)) for value in values)
