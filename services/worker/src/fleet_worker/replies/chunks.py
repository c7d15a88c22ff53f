"""Pure: the chunks of one attempt, put into frames at once; what is the same in all of them is encoded once.

A chunk is what is sent for each token, and a worker sends twenty for each stream and second. The general way,
by a body, a message and its headers, takes three times as long; both give the same bytes.
"""

from typing import NamedTuple

import orjson

from fleet_contracts import headers as names
from fleet_contracts.reply import chunk_id, id_base
from fleet_worker.completion import Delta
from fleet_worker.composing import compose_chunk
from fleet_worker.replies.addressing import to_caller
from fleet_worker.replies.frames import (
    BEFORE_TABLE,
    BODY,
    END,
    FRAME_OVERHEAD,
    HEAD,
    HEADER,
    HEADER_HEAD,
    JSON,
    LONG,
    Envelope,
    envelope_of,
    name_of_text,
    number,
    publication,
)
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Request

_DELTA = b',"delta":'
_NONE = Envelope(b"", 0, b"", b"")


class Chunks:
    """Numbers the chunks of one attempt.

    Args:
        request: What they answer.
        run: The random word of the attempt.
        attempt: Its number, over all workers.
    """

    __slots__ = ("_attempt", "_body", "_channel", "_envelope", "_id", "_request", "_run", "_seq", "_table")

    def __init__(self, request: Request, run: str, attempt: int) -> None:
        self._request = request
        self._run = run
        self._attempt = attempt
        base = id_base(request.correlation_id, request.retry)
        before_seq = chunk_id(base, run, attempt, 0).removesuffix("0")
        self._id = before_seq.encode()
        self._body = orjson.dumps({"kind": "chunk", "id": before_seq}).removesuffix(b'"}')
        self._seq = b'","attempt":%d,"seq":' % attempt
        # Headers stand in the order of their names: attempt, id, seq.
        self._table = number(names.ATTEMPT, attempt) + name_of_text(names.ID)
        self._channel = -1
        self._envelope = _NONE

    def outgoing(self, seq: int, delta: Delta) -> Outgoing:
        """A chunk as any other message."""
        composed = compose_chunk(self._request, self._run, self._attempt, seq, delta)
        return to_caller(self._request, composed)

    def publication(self, seq: int, delta: Delta, message_id: str, channel: int, frame_max: int) -> bytes:
        """A chunk as `frames.publication` of `outgoing` writes it."""
        delta_json = orjson.dumps(delta.fields)
        digits = b"%d" % seq
        own_id, seq_field = message_id.encode(), number(names.SEQ, seq)
        body = b"".join((self._body, digits, self._seq, digits, _DELTA, delta_json, b"}"))
        if delta.logprobs or FRAME_OVERHEAD + len(body) > (frame_max or len(body) + FRAME_OVERHEAD):
            return publication(self.outgoing(seq, delta), message_id, channel, frame_max)
        if channel != self._channel:
            self._envelope = envelope_of(self.outgoing(seq, delta), channel)
            self._channel = channel
        method, flags, before_id, after_id = self._envelope
        id_size = len(self._id) + len(digits)
        table_size = len(self._table) + LONG.size + id_size + len(seq_field)
        header_size = BEFORE_TABLE + LONG.size + table_size + len(before_id) + 1 + len(own_id) + len(after_id)
        return b"".join(
            (
                method,
                HEADER_HEAD.pack(HEADER, channel, header_size, 60, 0, len(body), flags),
                JSON,
                LONG.pack(table_size),
                self._table,
                LONG.pack(id_size),
                self._id,
                digits,
                seq_field,
                before_id,
                bytes((len(own_id),)),
                own_id,
                after_id,
                END,
                HEAD.pack(BODY, channel, len(body)),
                body,
                END,
            )
        )


class Chunk(NamedTuple):
    """A numbered chunk on its way out."""

    chunks: Chunks
    seq: int
    delta: Delta

    def outgoing(self) -> Outgoing:
        """As any other message."""
        return self.chunks.outgoing(self.seq, self.delta)

    def publication(self, message_id: str, channel: int, frame_max: int) -> bytes:
        """As `frames.publication` writes it."""
        return self.chunks.publication(self.seq, self.delta, message_id, channel, frame_max)
