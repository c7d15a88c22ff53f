"""Pure: knows an event that differs from the one before by its text alone, without parsing it whole."""

import orjson

from fleet_contracts.grammar import RequestType
from fleet_worker.completion import Delta
from fleet_worker.deepseek.shapes import Json, as_list, as_object

MAX_TRIES = 8
"""A stream of which nothing comes that is like the event before is learned no more often."""
MAX_EVENT_BYTES = 4096
"""What is longer is no token, and not worth being kept to compare with."""
MAX_PLACES = 3
"""The text may stand elsewhere too, as the name of a field or the value of another one."""
_STAND_IN = "stand-in"


class Likeness:
    """The bytes around the text of the last chunk, its event's own among them.

    Of a stream of tokens, nearly every event is like the one before but for its text, and comes in a piece
    of its own: then the one string is parsed, and nothing else. A string of JSON is closed by its quote alone
    and holds no line feed, so what stands around it means the same whatever it says; that is tried out with
    a stand-in before it is relied on.
    """

    __slots__ = ("_after", "_around", "_before", "_begin", "_chat", "_end", "_tries", "field")

    def __init__(self, type_: RequestType) -> None:
        self._chat = type_ is RequestType.CHAT
        self.field = "content"
        """Of which field the text is."""
        self._before = b""
        self._after = b""
        self._around = 0
        self._begin = 0
        self._end = 0
        self._tries = 0

    def text_of(self, event: bytes) -> str | None:
        """The text of an event that is like the last one; None where it is not, or holds no good string."""
        before, after = self._before, self._after
        if not event.startswith(before) or not event.endswith(after) or len(event) < self._around:
            return None
        if not self._around:
            return None
        # The quotes belong to both what is around and to the string, and nothing else begins with one.
        string = event[self._begin : len(event) - self._end]
        if b"\n" in string:
            return None
        try:
            text: str = orjson.loads(string)
        except orjson.JSONDecodeError:
            return None
        self._tries = 0
        return text

    def texts_of(self, events: bytes) -> list[str] | None:
        """As `text_of`, of events that follow one another; None where there is none for one of them."""
        before, after = self._before, self._after
        if not self._around or not events.startswith(before) or not events.endswith(after):
            return None
        if len(events) < self._around:
            return None
        # The quotes belong to both what is around and to the string.
        strings = events[len(before) - 1 : len(events) - len(after) + 1]
        try:
            if b"\n" in strings:
                texts = [orjson.loads(string) for string in strings.split(after[1:] + before[:-1])]
            else:
                texts = [orjson.loads(strings)]
        except orjson.JSONDecodeError:
            return None
        if not all(type(text) is str for text in texts):
            return None
        self._tries = 0
        return texts

    def learn(self, data: bytes, chunk: Json, delta: Delta | None) -> None:
        """Take the bytes around the text of a chunk that was parsed; forget the last one's."""
        self._around = 0
        if self._tries >= MAX_TRIES or len(data) > MAX_EVENT_BYTES:
            return
        if delta is None or delta.logprobs is not None or len(delta.fields) != 1:
            return
        ((field, text),) = delta.fields.items()
        if type(text) is not str or b"\n" in data:
            return
        try:
            string = orjson.dumps(text)
        except orjson.JSONEncodeError:
            return  # half of a pair of surrogates
        self._tries += 1
        at = -1
        for _ in range(MAX_PLACES):
            at = data.find(string, at + 1)
            if at < 0:
                return
            before, after = data[: at + 1], data[at + len(string) - 1 :]
            if self._is_like(chunk, field, before, after):
                self.field, self._before, self._after = field, b"data: " + before, after + b"\n\n"
                self._around = len(self._before) + len(self._after)
                self._begin, self._end = len(self._before) - 1, len(self._after) - 1
                return

    def _is_like(self, chunk: Json, field: str, before: bytes, after: bytes) -> bool:
        try:
            other = orjson.loads(before + _STAND_IN.encode() + after)
            holder, name = self._holder_of(other, field)
        except (ValueError, IndexError):
            return False
        if holder.get(name) != _STAND_IN:
            return False
        mine, _ = self._holder_of(chunk, field)
        holder[name] = mine[name]
        return bool(other == chunk)

    def _holder_of(self, chunk: Json, field: str) -> tuple[Json, str]:
        choice = as_object(as_list(as_object(chunk).get("choices"))[0])
        return (as_object(choice.get("delta")), field) if self._chat else (choice, "text")
