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


class Outbox:
    """Announcements and deltas in order; joins neighbouring deltas of the same kind.

    Joining is clocked by the reader alone: whoever takes while little waits gets each delta at once, and
    whoever comes late gets what gathered meanwhile as one.
    """

    __slots__ = ("_characters", "_max_characters", "_waiting")

    def __init__(self, max_characters: int) -> None:
        self._max_characters = max_characters
        self._waiting: deque[Announcement | InLine | Delta | _Text] = deque()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def announce(self, announcement: Announcement) -> None:
        """Queue an announcement; the deltas of an attempt that has ended are dropped."""
        self._waiting = deque(item for item in self._waiting if not isinstance(item, Delta | _Text))
        self._characters = 0
        self._waiting.append(announcement)

    def place(self, place: InLine) -> None:
        """Queue where the request stands; what was not sent yet of where it stood is dropped."""
        self._waiting = deque(item for item in self._waiting if not isinstance(item, InLine))
        self._waiting.append(place)

    def add(self, delta: Delta) -> bool:
        """Queue a delta; False, and nothing queued, where more than `max_characters` would wait."""
        if delta.logprobs is None and len(delta.fields) == 1:
            ((field, text),) = delta.fields.items()
            if type(text) is str:
                return self._add_text(field, text, delta)
        size = _characters(delta)
        if self._characters + size > self._max_characters:
            return False
        self._waiting.append(delta)
        self._characters += size
        return True

    def clear(self) -> None:
        """Drop everything."""
        self._waiting.clear()
        self._characters = 0

    def take(self) -> Announcement | InLine | Delta | None:
        """The next announcement, or the next delta joined with those behind it that fit."""
        if not self._waiting:
            return None
        first = self._waiting.popleft()
        if not self._waiting:
            self._characters = 0
            return first.joined() if isinstance(first, _Text) else first
        if isinstance(first, _Text):
            self._characters -= first.characters
            return first.joined()
        return self._joined(first) if isinstance(first, Delta) else first

    def _add_text(self, field: str, text: str, delta: Delta) -> bool:
        size = len(text)
        if self._characters + size > self._max_characters:
            return False
        self._characters += size
        if not self._waiting:
            # Nearly always it leaves alone, as it came.
            self._waiting.append(delta)
            return True
        last = self._waiting[-1]
        if len(self._waiting) == 1 and type(last) is Delta and (alone := _as_text(last)) is not None:
            self._waiting[-1] = last = alone
        if type(last) is _Text and last.field == field and last.characters + size <= MAX_CHUNK_CHARACTERS:
            last.parts.append(text)
            last.characters += size
        else:
            self._waiting.append(_Text(field, text))
        return True

    def _joined(self, first: Delta) -> Delta:
        parts, size = [first], _characters(first)
        while self._waiting and isinstance(following := self._waiting[0], Delta):
            size += _characters(following)
            if size > MAX_CHUNK_CHARACTERS or following.fields.keys() != first.fields.keys():
                break
            parts.append(following)
            self._waiting.popleft()
        self._characters -= sum(_characters(part) for part in parts)
        return first if len(parts) == 1 else join(parts)


def _as_text(delta: Delta) -> _Text | None:
    """A delta of one field of text and nothing else."""
    if delta.logprobs is None and len(delta.fields) == 1:
        ((field, text),) = delta.fields.items()
        if type(text) is str:
            return _Text(field, text)
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
    values = [*delta.fields.values(), *((delta.logprobs or {}).values())]
    return sum(len(value) if isinstance(value, str) else len(str(value)) for value in values)
