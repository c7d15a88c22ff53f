"""Pure: AMQP 0-9-1 frames out of messages, and the broker's answers to publishes out of a connection's bytes.

Source for every layout: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 2.3 and 4.2.
"""

import struct
from dataclasses import dataclass
from functools import lru_cache

from fleet_worker.replies.outgoing import Outgoing

CONTENT_TYPE = "application/json"
HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"

_METHOD, _HEADER, _BODY = 1, 2, 3
_FRAME_TYPES = b"\x01\x02\x03\x08"
_FRAME_OVERHEAD = 8
_END = b"\xce"
_HEAD = struct.Struct(">BHI")
_CONTENT_HEAD = struct.Struct(">HHQH")
_ANSWER = struct.Struct(">IQB")
_LONG = struct.Struct(">I")
_NAME = struct.Struct(">I")

_CONTENT_TYPE, _ENCODING, _HEADERS = 1 << 15, 1 << 14, 1 << 13
_DELIVERY_MODE, _PRIORITY, _CORRELATION_ID = 1 << 12, 1 << 11, 1 << 10
_REPLY_TO, _EXPIRATION, _MESSAGE_ID, _TYPE = 1 << 9, 1 << 8, 1 << 7, 1 << 5
_PERSISTENT = b"\x02"
_NO_PRIORITY = b"\x00"

# The class and the method of each, as one number.
_PUBLISH = 60 << 16 | 40
_RETURN = 60 << 16 | 50
_ACK = 60 << 16 | 80
_NACK = 60 << 16 | 120
_CHANNEL_CLOSE = 20 << 16 | 40
_BLOCKED = 10 << 16 | 60
_UNBLOCKED = 10 << 16 | 61


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The broker's word on the publish `tag`, or where `multiple` on all up to it."""

    tag: int
    multiple: bool
    taken: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """No queue took the message; its confirm follows (https://www.rabbitmq.com/docs/confirms)."""

    message_id: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """The broker takes no publishes for a while, or takes them again."""

    blocked: bool


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """The broker has closed the channel: what it has not confirmed, it never will."""


Answer = Confirmed | Returned | Blocked | ChannelClosed


def publication(message: Outgoing, message_id: str, channel: int, frame_max: int) -> bytes:
    """A whole publish, in frames of at most `frame_max` bytes (0: of any size).

    Raises:
        ValueError: a name is longer than 255 bytes, or a header is neither text nor a whole number.
    """
    body = message.body
    method = _method(message.exchange, message.routing_key, message.mandatory, channel)
    header = _framed(_HEADER, channel, _properties(message, message_id))
    most = frame_max - _FRAME_OVERHEAD if frame_max else len(body)
    if len(body) <= most:
        return b"".join(
            (method, header, _HEAD.pack(_BODY, channel, len(body)), body, _END) if body else (method, header)
        )
    pieces = (body[at : at + most] for at in range(0, len(body), most))
    return b"".join((method, header, *(_framed(_BODY, channel, piece) for piece in pieces)))


@lru_cache(maxsize=4096)
def _method(exchange: str, routing_key: str, mandatory: bool, channel: int) -> bytes:  # noqa: FBT001 - a bit of the frame
    # The two bytes after the method's number are reserved and hold nothing.
    payload = _NAME.pack(_PUBLISH) + b"\x00\x00" + _short(exchange) + _short(routing_key)
    return _framed(_METHOD, channel, payload + (b"\x01" if mandatory else b"\x00"))


def _framed(kind: int, channel: int, payload: bytes) -> bytes:
    return _HEAD.pack(kind, channel, len(payload)) + payload + _END


def _properties(message: Outgoing, message_id: str) -> bytes:
    flags = _CONTENT_TYPE | _HEADERS | _DELIVERY_MODE | _PRIORITY | _MESSAGE_ID
    values = [_JSON, _table(message.headers), _PERSISTENT, _NO_PRIORITY]
    if message.correlation_id is not None:
        flags |= _CORRELATION_ID
        values.append(_kept(message.correlation_id))
    if message.reply_to is not None:
        flags |= _REPLY_TO
        values.append(_kept(message.reply_to))
    values.append(_short(message_id))
    if message.type is not None:
        flags |= _TYPE
        values.append(_kept(message.type))
    return _CONTENT_HEAD.pack(60, 0, len(message.body), flags) + b"".join(values)


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
    return _LONG.pack(len(fields)) + fields


def _field(value: object) -> bytes:
    if type(value) is str:
        data = value.encode()
        return b"S" + _LONG.pack(len(data)) + data
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


class Sieve:
    """Takes the answers to one channel's publishes out of a connection's bytes; all other frames go through.

    The bytes may be cut anywhere. Of the channel itself, whatever is no answer goes through too, so that who
    opened it learns of its end.
    """

    def __init__(self) -> None:
        self.channel: int | None = None
        """The channel whose publishes are answered here; None lets everything through."""
        self._rest = b""
        self._no_frames = False

    def feed(self, data: bytes) -> tuple[bytes, list[Answer]]:
        """The bytes that go through, and the answers, each in order."""
        answers: list[Answer] = []
        if self._no_frames:
            return data, answers
        data = self._rest + data if self._rest else data
        through: list[bytes] = []
        at = kept_from = 0
        end = len(data)
        while end - at >= _HEAD.size:
            kind, channel, size = _HEAD.unpack_from(data, at)
            if kind not in _FRAME_TYPES:
                # A broker that speaks another protocol says so in no frame.
                self._no_frames = True
                at = end
                break
            after = at + size + _FRAME_OVERHEAD
            if after > end:
                break
            if not self._passes(kind, channel, data, at + _HEAD.size, answers):
                through.append(data[kept_from:at])
                kept_from = after
            at = after
        self._rest = data[at:]
        through.append(data[kept_from:at])
        return b"".join(through), answers

    def _passes(self, kind: int, channel: int, data: bytes, at: int, answers: list[Answer]) -> bool:
        if channel == self.channel:
            return self._passes_own(kind, data, at, answers)
        if channel == 0 and kind == _METHOD:
            (name,) = _NAME.unpack_from(data, at)
            if name in {_BLOCKED, _UNBLOCKED}:
                answers.append(Blocked(name == _BLOCKED))
        return True

    def _passes_own(self, kind: int, data: bytes, at: int, answers: list[Answer]) -> bool:
        if kind == _HEADER:
            # Nothing is consumed on this channel, so content comes back on it only when it is returned.
            answers.append(Returned(_message_id(data, at)))
            return False
        if kind != _METHOD:
            return False
        (name,) = _NAME.unpack_from(data, at)
        if name in {_ACK, _NACK}:
            _, tag, bits = _ANSWER.unpack_from(data, at)
            answers.append(Confirmed(tag, bool(bits & 1), name == _ACK))
            return False
        if name == _CHANNEL_CLOSE:
            # Its number may soon be another's.
            self.channel = None
            answers.append(ChannelClosed())
        return name != _RETURN


def _message_id(data: bytes, at: int) -> str:
    flags = _CONTENT_HEAD.unpack_from(data, at)[3]
    at += _CONTENT_HEAD.size
    for flag in (_CONTENT_TYPE, _ENCODING):
        at = _after_short(data, at) if flags & flag else at
    if flags & _HEADERS:
        at += _LONG.size + _LONG.unpack_from(data, at)[0]
    for flag in (_DELIVERY_MODE, _PRIORITY):
        at += 1 if flags & flag else 0
    for flag in (_CORRELATION_ID, _REPLY_TO, _EXPIRATION):
        at = _after_short(data, at) if flags & flag else at
    return data[at + 1 : _after_short(data, at)].decode() if flags & _MESSAGE_ID else ""


def _after_short(data: bytes, at: int) -> int:
    return at + 1 + data[at]
