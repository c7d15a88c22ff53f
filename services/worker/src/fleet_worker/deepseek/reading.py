"""Reads the body of a 200: as a stream of events, or as one JSON document."""

from collections.abc import AsyncIterator
from typing import Protocol

from fleet_contracts.grammar import MAX_REPLY_BYTES, RequestType
from fleet_worker.completion import CompletionError, Delta, Emit
from fleet_worker.deepseek.assembly import Assembly
from fleet_worker.deepseek.clocks import Watch
from fleet_worker.deepseek.errors import interrupted, too_large
from fleet_worker.deepseek.likeness import Likeness
from fleet_worker.deepseek.refusals import error_of
from fleet_worker.deepseek.shapes import Json, ShapeError, as_object, parsed
from fleet_worker.deepseek.sse import EventReader, EventTooLargeError
from fleet_worker.deepseek.transport import each_of
from fleet_worker.deepseek.usage import usage_of
from fleet_worker.deepseek.verdict import texts_of

_DONE = b"[DONE]"
_OK = 200


class AnswerReader(Protocol):
    """Reads one answer."""

    async def read(self, pieces: AsyncIterator[bytes]) -> Json:
        """The whole answer, as it comes unstreamed.

        Raises:
            CompletionError: it broke off, or is too large.
        """
        ...

    def partial(self) -> dict[str, str]:
        """The text that came, by field, whether or not the answer is whole."""
        ...

    def usage(self) -> Json | None:
        """What the call used, where the upstream has told it."""
        ...


class StreamedAnswer:
    """Reads an event stream and emits each delta as soon as it is there."""

    __slots__ = ("_assembly", "_between_events", "_emit", "_events", "_finished", "_likeness", "_watch")

    def __init__(self, type_: RequestType, emit: Emit, watch: Watch) -> None:
        self._events = EventReader()
        self._assembly = Assembly(type_)
        self._likeness = Likeness(type_)
        self._emit = emit
        self._watch = watch
        self._finished = False
        self._between_events = False

    async def read(self, pieces: AsyncIterator[bytes]) -> Json:
        """As the protocol says. A stream that ends without `[DONE]` has broken off."""
        self._watch.wait_for_content()
        if await each_of(pieces, self._take):
            return self._assembly.response()
        raise interrupted("ended without [DONE]")

    def partial(self) -> dict[str, str]:
        """As the protocol says."""
        return self._assembly.partial()

    def usage(self) -> Json | None:
        """As the protocol says."""
        return self._assembly.usage

    def _take(self, piece: bytes) -> bool:
        if self._between_events:
            likeness = self._likeness
            if text := likeness.text_of(piece):
                self._emit(self._assembly.add_text(likeness.field, text, len(piece)))
                self._watch_on(heard=True)
                return False
            if (texts := likeness.texts_of(piece)) and all(texts):
                size = len(piece) // len(texts)
                for text in texts:
                    self._emit(self._assembly.add_text(likeness.field, text, size))
                self._watch_on(heard=True)
                return False
        heard = False
        try:
            for data in self._events.feed(piece):
                if data == _DONE:
                    return True
                delta = self._delta_of(data)
                if delta is not None:
                    self._emit(delta)
                    heard = True
        except (ShapeError, EventTooLargeError) as error:
            raise interrupted(str(error)) from error
        self._between_events = self._events.between_events
        self._watch_on(heard=heard)
        return False

    def _delta_of(self, data: bytes) -> Delta | None:
        if text := self._likeness.text_of(b"data: %b\n\n" % data):
            return self._assembly.add_text(self._likeness.field, text, len(data))
        chunk = _chunk(data)
        delta = self._assembly.add(chunk, len(data))
        self._likeness.learn(data, chunk, delta)
        return delta

    def _watch_on(self, *, heard: bool) -> None:
        if self._assembly.size > MAX_REPLY_BYTES:
            raise too_large(MAX_REPLY_BYTES)
        if self._finished:
            return
        if self._assembly.finish_reason is not None:
            self._finished = True
            self._watch.finished()
        elif heard:
            self._watch.content()


class WholeAnswer:
    """Reads one JSON document. DeepSeek sends blank lines before it while the call waits."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._document: Json = {}

    async def read(self, pieces: AsyncIterator[bytes]) -> Json:
        """As the protocol says. The document is passed on as it came."""
        self._watch.wait_for_body()
        body = bytearray()
        async for piece in pieces:
            body += piece
            if len(body) > MAX_REPLY_BYTES:
                raise too_large(MAX_REPLY_BYTES)
        if not body.strip():
            raise interrupted("ended before it began")
        try:
            self._document = as_object(parsed(body))
        except ShapeError as error:
            raise interrupted(str(error)) from error
        if "error" in self._document:
            raise _error_inside(self._document)
        return self._document

    def partial(self) -> dict[str, str]:
        """As the protocol says."""
        return texts_of(self._document)

    def usage(self) -> Json | None:
        """As the protocol says."""
        try:
            return usage_of(self._document.get("usage"))
        except ShapeError:
            return None


def _chunk(data: bytes) -> Json:
    chunk = as_object(parsed(data))
    if "error" in chunk:
        raise _error_inside(chunk)
    return chunk


def _error_inside(document: Json) -> CompletionError:
    return interrupted("holds an error, see upstream.message", error_of(document, _OK, trace_id=None))
