"""Pure: AMQP 0-9-1 frames out of messages, byte for byte as the public library writes them.

Source for every layout: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 2.3 and 4.2.
"""

import struct
from functools import lru_cache

from fleet_worker.replies.outgoing import Outgoing

CONTENT_TYPE = "application/json"

METHOD, HEADER, BODY = 1, 2, 3
FRAME_OVERHEAD = 8
_END = b"\xce"
HEAD = struct.Struct(">BHI")
CONTENT_HEAD = struct.Struct(">HHQH")
LONG = struct.Struct(">I")
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


def publication(message: Outgoing, message_id: str, channel: int, frame_max: int) -> bytes:
    """A whole publish, in frames of at most `frame_max` bytes (0: of any size).

    Raises:
        ValueError: a name is longer than 255 bytes, or a header is neither text nor a whole number.
    """
    body = message.body
    method = _method(message.exchange, message.routing_key, message.mandatory, channel)
    header = _framed(HEADER, channel, _properties(message, message_id))
    most = frame_max - FRAME_OVERHEAD if frame_max else len(body)
    if len(body) <= most:
        return b"".join(
            (method, header, HEAD.pack(BODY, channel, len(body)), body, _END) if body else (method, header)
        )
    pieces = (body[at : at + most] for at in range(0, len(body), most))
    return b"".join((method, header, *(_framed(BODY, channel, piece) for piece in pieces)))


@lru_cache(maxsize=4096)
def _method(exchange: str, routing_key: str, mandatory: bool, channel: int) -> bytes:  # noqa: FBT001 - a bit of the frame
    # The two bytes after the method's number are reserved and hold nothing.
    payload = NAME.pack(_PUBLISH) + b"\x00\x00" + _short(exchange) + _short(routing_key)
    return _framed(METHOD, channel, payload + (b"\x01" if mandatory else b"\x00"))


def _framed(kind: int, channel: int, payload: bytes) -> bytes:
    return HEAD.pack(kind, channel, len(payload)) + payload + _END


def _properties(message: Outgoing, message_id: str) -> bytes:
    flags = Has.CONTENT_TYPE | Has.HEADERS | Has.DELIVERY_MODE | Has.PRIORITY | Has.MESSAGE_ID
    values = [_JSON, _table(message.headers), _PERSISTENT, _NO_PRIORITY]
    if message.correlation_id is not None:
        flags |= Has.CORRELATION_ID
        values.append(_kept(message.correlation_id))
    if message.reply_to is not None:
        flags |= Has.REPLY_TO
        values.append(_kept(message.reply_to))
    values.append(_short(message_id))
    if message.type is not None:
        flags |= Has.TYPE
        values.append(_kept(message.type))
    return CONTENT_HEAD.pack(60, 0, len(message.body), flags) + b"".join(values)


@lru_cache(maxsize=8192)
def _kept(text: str) -> bytes:
    """A short text that comes again: with each chunk of a request, or with each reply of a kind."""
    return _short(text)


def _short(text: str) -> bytes:
    data = text.encode()
    if len(data) > 255:  # noqa: PLR2004 - what one byte can count
        raise ValueError("a name or property of a message is longer than 255 bytes: shorten it")
    return bytes((len(data),)) + data


_JSON = _short(CONTENT_TYPE)


def _table(headers: dict[str, object]) -> bytes:
    fields = b"".join([_kept(name) + _field(headers[name]) for name in sorted(headers)])
    return LONG.pack(len(fields)) + fields


def _field(value: object) -> bytes:
    if type(value) is str:
        data = value.encode()
        return b"S" + LONG.pack(len(data)) + data
    if type(value) is int:
        return _whole_number(value)
    raise ValueError("a header of a reply is neither text nor a whole number: send it as one of them")


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
