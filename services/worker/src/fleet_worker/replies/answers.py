"""Pure: what the broker answers to publishes, out of a connection's bytes."""

import struct
from dataclasses import dataclass
from typing import NamedTuple

from fleet_worker.replies.frames import (
    BODY,
    CONTENT_HEAD,
    FRAME_OVERHEAD,
    HEAD,
    HEADER,
    LONG,
    METHOD,
    NAME,
    Has,
)

HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"

_FRAME_TYPES = (METHOD, HEADER, BODY, HEARTBEAT[0])
_ANSWER = struct.Struct(">IQB")
_ACK_HEAD = struct.Struct(">BHII")
"""`HEAD` and `NAME` of one frame."""
_TAG = struct.Struct(">QB")
_ACK_BYTES = _ACK_HEAD.size + _TAG.size + 1

# The class and the method of each, as one number.
_RETURN = 60 << 16 | 50
_ACK = 60 << 16 | 80
_NACK = 60 << 16 | 120
_CHANNEL_CLOSE, _CHANNEL_CLOSE_OK = 20 << 16 | 40, 20 << 16 | 41
_BLOCKED = 10 << 16 | 60
_UNBLOCKED = 10 << 16 | 61


Taken = int
"""The broker took the publish of this number: a bare number, for nearly every answer is one."""


class Confirmed(NamedTuple):
    """Any other word of the broker on the publish `tag`, or where `multiple` on all up to it."""

    tag: int
    multiple: bool
    taken: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """No queue took the message; its confirm follows (https://www.rabbitmq.com/docs/confirms)."""

    message_id: str


@dataclass(frozen=True, slots=True)
class ChannelClosed:
    """The broker has closed the channel: what it has not confirmed, it never will."""


Answer = Taken | Confirmed | Returned | ChannelClosed


class Sieve:
    """Takes the answers to one channel's publishes out of a connection's bytes; all other frames go through.

    The bytes may be cut anywhere. Of the channel itself, whatever is no answer goes through too, so that who
    opened it learns of its end.
    """

    def __init__(self) -> None:
        self._channel: int | None = None
        self._ack = b""
        self.blocked = False
        """Whether the broker takes no publishes on this connection now."""
        self._rest = b""
        self._no_frames = False

    @property
    def channel(self) -> int | None:
        """The channel whose publishes are answered here; None lets everything through."""
        return self._channel

    @channel.setter
    def channel(self, number: int | None) -> None:
        self._channel = number
        # How an ack on the channel begins, and nothing else.
        self._ack = b"" if number is None else _ACK_HEAD.pack(METHOD, number, NAME.size + _TAG.size, _ACK)

    def feed(self, data: bytes) -> tuple[bytes, list[Answer]]:
        """The bytes that go through, and the answers, each in order."""
        answers: list[Answer] = []
        if self._no_frames:
            return data, answers
        data = self._rest + data if self._rest else data
        through: list[bytes] = []
        at = kept_from = 0
        end = len(data)
        while end - at >= HEAD.size:
            if (ack := self._ack) and data.startswith(ack, at) and at + _ACK_BYTES <= end:
                tag, multiple = _TAG.unpack_from(data, at + _ACK_HEAD.size)
                answers.append(Confirmed(tag, multiple=True, taken=True) if multiple & 1 else tag)
                if kept_from < at:
                    through.append(data[kept_from:at])
                kept_from = at = at + _ACK_BYTES
                continue
            kind, channel, size = HEAD.unpack_from(data, at)
            if kind not in _FRAME_TYPES:
                # A broker that speaks another protocol says so in no frame.
                self._no_frames = True
                at = end
                break
            after = at + size + FRAME_OVERHEAD
            if after > end:
                break
            if not self._passes(kind, channel, data, at + HEAD.size, answers):
                through.append(data[kept_from:at])
                kept_from = after
            at = after
        self._rest = data[at:]
        if kept_from < at:
            through.append(data[kept_from:at])
        return b"".join(through), answers

    def _passes(self, kind: int, channel: int, data: bytes, at: int, answers: list[Answer]) -> bool:
        if channel == self._channel:
            return self._passes_own(kind, data, at, answers)
        if channel == 0 and kind == METHOD:
            (name,) = NAME.unpack_from(data, at)
            if name in {_BLOCKED, _UNBLOCKED}:
                self.blocked = name == _BLOCKED
        return True

    def _passes_own(self, kind: int, data: bytes, at: int, answers: list[Answer]) -> bool:
        if kind == HEADER:
            # Nothing is consumed on this channel, so content comes back on it only when it is returned.
            answers.append(Returned(_message_id(data, at)))
            return False
        if kind != METHOD:
            return False
        (name,) = NAME.unpack_from(data, at)
        if name == _NACK:
            _, tag, bits = _ANSWER.unpack_from(data, at)
            answers.append(Confirmed(tag, multiple=bool(bits & 1), taken=False))
            return False
        if name in {_CHANNEL_CLOSE, _CHANNEL_CLOSE_OK}:
            # Its number may soon be another's.
            self.channel = None
            answers.append(ChannelClosed())
        return name != _RETURN


def _message_id(data: bytes, at: int) -> str:
    flags = CONTENT_HEAD.unpack_from(data, at)[3]
    at += CONTENT_HEAD.size
    for flag in (Has.CONTENT_TYPE, Has.ENCODING):
        at = _after_short(data, at) if flags & flag else at
    if flags & Has.HEADERS:
        at += LONG.size + LONG.unpack_from(data, at)[0]
    for flag in (Has.DELIVERY_MODE, Has.PRIORITY):
        at += 1 if flags & flag else 0
    for flag in (Has.CORRELATION_ID, Has.REPLY_TO, Has.EXPIRATION):
        at = _after_short(data, at) if flags & flag else at
    return data[at + 1 : _after_short(data, at)].decode() if flags & Has.MESSAGE_ID else ""


def _after_short(data: bytes, at: int) -> int:
    return at + 1 + data[at]
