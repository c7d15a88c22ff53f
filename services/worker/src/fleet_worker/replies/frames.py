"""Pure: AMQP 0-9-1 frames out of messages, byte for byte as the public library writes them.

Source for every layout: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 2.3 and 4.2.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pamqp.encode import encode_table_value

from fleet_worker.replies.outgoing import Outgoing

CONTENT_TYPE = "application/json"

METHOD, HEADER, BODY = 1, 2, 3
FRAME_OVERHEAD = 8
END = b"\xce"
HEAD = struct.Struct(">BHI")
CONTENT_HEAD = struct.Struct(">HHQH")
HEADER_HEAD = struct.Struct(">BHIHHQH")
"""`HEAD` and `CONTENT_HEAD` of one frame."""
CONTENT_CLASS = struct.pack(">HH", 60, 0)
FLAGS = struct.Struct(">H")
"""With the class before them and the size between, as `CONTENT_HEAD`."""
KIND_AND_CHANNEL = struct.Struct(">BH")
LONG = struct.Struct(">I")
LONG_LONG = struct.Struct(">Q")
NAME = struct.Struct(">I")

_PERSISTENT = b"\x02"
_NO_PRIORITY = b"\x00"


class Has:
    """Flags: which properties a message has. They follow one another in this order."""

    CONTENT_TYPE, ENCODING, HEADERS = 1 << 15, 1 << 14, 1 << 13
    DELIVERY_MODE, PRIORITY, CORRELATION_ID = 1 << 12, 1 << 11, 1 << 10
    REPLY_TO, EXPIRATION, MESSAGE_ID, TYPE = 1 << 9, 1 << 8, 1 << 7, 1 << 5


_PUBLISH = 60 << 16 | 40
"""The class and the method, as one number."""


class Envelope(NamedTuple):
    """What is the same for all messages of a kind to one reader, encoded."""

    method: bytes
    flags: int
    before_id: bytes
    after_id: bytes


def publication(message: Outgoing, message_id: bytes, channel: int, frame_max: int) -> bytes:
    """A whole publish, in frames of at most `frame_max` bytes (0: of any size).

    Raises:
        ValueError: a name is longer than 255 bytes, or a header is of no kind that AMQP has.
    """
    body = message.body
    size = len(body)
    method, flags, before_id, after_id = envelope_of(message, channel)
    table, own_id = _table(message.headers), bytes((len(message_id),)) + message_id
    header_size = BEFORE_TABLE + len(table) + len(before_id) + len(own_id) + len(after_id)
    head = HEADER_HEAD.pack(HEADER, channel, header_size, 60, 0, size, flags)
    header = (method, head, JSON, table, before_id, own_id, after_id, END)
    most = frame_max - FRAME_OVERHEAD if frame_max else size
    if 0 < size <= most:
        return b"".join((*header, HEAD.pack(BODY, channel, size), body, END))
    pieces = (body[at : at + most] for at in range(0, size, most))
    return b"".join((*header, *(_framed(BODY, channel, piece) for piece in pieces)))


def envelope_of(message: Outgoing, channel: int) -> Envelope:
    """What stands around the headers, the id and the body of `message`.

    Raises:
        ValueError: a name is longer than 255 bytes.
    """
    flags = Has.CONTENT_TYPE | Has.HEADERS | Has.DELIVERY_MODE | Has.PRIORITY | Has.MESSAGE_ID
    before_id = [_PERSISTENT, _NO_PRIORITY]
    if message.correlation_id is not None:
        flags |= Has.CORRELATION_ID
        before_id.append(_short(message.correlation_id))
    if message.reply_to is not None:
        flags |= Has.REPLY_TO
        before_id.append(_short(message.reply_to))
    if message.type is not None:
        flags |= Has.TYPE
    # The two bytes after the method's number are reserved and hold nothing.
    payload = NAME.pack(_PUBLISH) + b"\x00\x00" + _short(message.exchange) + _short(message.routing_key)
    method = _framed(METHOD, channel, payload + (b"\x01" if message.mandatory else b"\x00"))
    return Envelope(method, flags, b"".join(before_id), b"" if message.type is None else _short(message.type))


def _framed(kind: int, channel: int, payload: bytes) -> bytes:
    return HEAD.pack(kind, channel, len(payload)) + payload + END


@lru_cache(maxsize=256)
def _kept(name: str) -> bytes:
    """The name of a header, which comes again with each message."""
    return _short(name)


@lru_cache(maxsize=256)
def name_of_text(name: str) -> bytes:
    """The name of a header that holds text, with what says so."""
    return _short(name) + b"S"


def _short(text: str) -> bytes:
    data = text.encode()
    if len(data) > 255:  # noqa: PLR2004 - what one byte can count
        raise ValueError("a name or property of a message is longer than 255 bytes: shorten it")
    return bytes((len(data),)) + data


JSON = _short(CONTENT_TYPE)
BEFORE_TABLE = CONTENT_HEAD.size + len(JSON)


def _table(headers: Mapping[str, object]) -> bytes:
    fields: list[bytes] = []
    for name in sorted(headers):
        value = headers[name]
        if type(value) is str:
            data = value.encode()
            fields += (name_of_text(name), LONG.pack(len(data)), data)
        elif type(value) is int:
            fields.append(number(name, value))
        else:
            # What others wrote comes back to them as it was, in copies and in dead letters.
            fields += (_kept(name), _anything(value))
    encoded = b"".join(fields)
    return LONG.pack(len(encoded)) + encoded


def _anything(value: Any) -> bytes:
    try:
        return encode_table_value(value)
    except (TypeError, ValueError, struct.error) as error:
        raise ValueError("a header of a message is of no kind that AMQP has: send it as text") from error


@lru_cache(maxsize=4096)
def number(name: str, value: int) -> bytes:
    """A whole number under its name: most are small, and come again with other requests."""
    return _kept(name) + _whole_number(value)


def _whole_number(value: int) -> bytes:
    # The smallest that holds it, as the public library writes it.
    for code, layout, low, high in _WHOLE_NUMBERS:
        if low <= value <= high:
            return code + layout.pack(value)
    raise ValueError("a header of a reply is a number of more than 64 bits: send it as text")


_WHOLE_NUMBERS = (
    (b"b", struct.Struct(">b"), -(2**7), 2**7 - 1),
    (b"s", struct.Struct(">h"), -(2**15), 2**15 - 1),
    (b"u", struct.Struct(">H"), 0, 2**16 - 1),
    (b"I", struct.Struct(">i"), -(2**31), 2**31 - 1),
    (b"i", struct.Struct(">I"), 0, 2**32 - 1),
    (b"l", struct.Struct(">q"), -(2**63), 2**63 - 1),
)
