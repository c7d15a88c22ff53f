"""Pure: the chunks of one attempt, put into frames at once; what is the same in all of them is encoded once.

A chunk is what is sent for each token, and a worker sends twenty for each stream and second. The general way,
by a body, a message and its headers, takes three times as long; both give the same bytes.
"""

from typing import NamedTuple, Self

import orjson

from fleet_contracts import headers as names
from fleet_contracts.reply import chunk_id, id_base
from fleet_worker.completion import Delta
from fleet_worker.composing import compose_chunk
from fleet_worker.replies.addressing import to_caller
from fleet_worker.replies.frames import (
    BEFORE_TABLE,
    BODY,
    CONTENT_CLASS,
    END,
    FLAGS,
    FRAME_OVERHEAD,
    HEAD,
    HEADER,
    JSON,
    KIND_AND_CHANNEL,
    LONG,
    LONG_LONG,
    envelope_of,
    name_of_text,
    number,
    publication,
)
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Request

_DELTA = b',"delta":'
_BODY_END = b"}"
_NOTHING = Delta({})


class _Around(NamedTuple):
    """What stands between the parts of a publish that differ from chunk to chunk, encoded."""

    sizes: tuple[int, int, int, int]
    """For which channel, and for how many bytes of the number in text and as a header, and of the id."""
    body_size: int
    """Without its delta."""
    before_size: bytes
    before_number: bytes
    before_id: bytes
    after_id: bytes


_NONE = _Around((-1, 0, 0, 0), 0, b"", b"", b"", b"")


class Chunks:
    """Numbers the chunks of one attempt, and is the newest of them: a message that can say itself in frames.

    Args:
        request: What they answer.
        run: The random word of the attempt.
        attempt: Its number, over all workers.
    """

    __slots__ = ("_around", "_attempt", "_body", "_delta", "_id", "_request", "_run", "_seq", "last_seq")

    def __init__(self, request: Request, run: str, attempt: int) -> None:
        self._request = request
        self._run = run
        self._attempt = attempt
        self._delta = _NOTHING
        self.last_seq = -1
        """The number of the newest chunk; -1 before the first."""
        base = id_base(request.correlation_id, request.retry)
        before_seq = chunk_id(base, run, attempt, 0).removesuffix("0")
        self._id = before_seq.encode()
        self._body = orjson.dumps({"kind": "chunk", "id": before_seq}).removesuffix(b'"}')
        self._seq = b'","attempt":%d,"seq":' % attempt
        self._around = _NONE

    def next(self, delta: Delta) -> Self:
        """Number the next chunk, which says `delta`; the one before has left."""
        self.last_seq += 1
        self._delta = delta
        return self

    def outgoing(self) -> Outgoing:
        """The newest chunk as any other message."""
        return self._outgoing(self._delta)

    def publication(self, message_id: bytes, channel: int, frame_max: int) -> bytes:
        """The newest chunk as `frames.publication` of `outgoing` writes it; its text is let go of.

        What is kept until the next one comes is out of the processor's caches by then, and dear to free.
        """
        delta, self._delta = self._delta, _NOTHING
        delta_json = orjson.dumps(delta.fields)
        digits = b"%d" % self.last_seq
        seq_field = number(names.SEQ, self.last_seq)
        around = self._around
        if around.sizes != (sizes := (channel, len(digits), len(seq_field), len(message_id))):
            around = self._around = self._encoded(sizes)
        size = around.body_size + len(delta_json)
        if delta.logprobs or FRAME_OVERHEAD + size > (frame_max or size + FRAME_OVERHEAD):
            return publication(self._outgoing(delta), message_id, channel, frame_max)
        return b"".join(
            (
                around.before_size,
                LONG_LONG.pack(size),
                around.before_number,
                digits,
                seq_field,
                around.before_id,
                message_id,
                around.after_id,
                LONG.pack(size),
                self._body,
                digits,
                self._seq,
                digits,
                _DELTA,
                delta_json,
                _BODY_END,
                END,
            )
        )

    def _outgoing(self, delta: Delta) -> Outgoing:
        composed = compose_chunk(self._request, self._run, self._attempt, self.last_seq, delta)
        return to_caller(self._request, composed)

    def _encoded(self, sizes: tuple[int, int, int, int]) -> _Around:
        channel, digits_size, seq_size, message_id_size = sizes
        method, flags, before_id, after_id = envelope_of(self._outgoing(_NOTHING), channel)
        # Headers stand in the order of their names: attempt, id, seq.
        table = number(names.ATTEMPT, self._attempt) + name_of_text(names.ID)
        id_size = len(self._id) + digits_size
        table_size = len(table) + LONG.size + id_size + seq_size
        properties_size = len(before_id) + 1 + message_id_size + len(after_id)
        header_size = BEFORE_TABLE + LONG.size + table_size + properties_size
        return _Around(
            sizes,
            len(self._body) + len(self._seq) + 2 * digits_size + len(_DELTA) + len(_BODY_END),
            method + HEAD.pack(HEADER, channel, header_size) + CONTENT_CLASS,
            FLAGS.pack(flags) + JSON + LONG.pack(table_size) + table + LONG.pack(id_size) + self._id,
            before_id + bytes((message_id_size,)),
            after_id + END + KIND_AND_CHANNEL.pack(BODY, channel),
        )
