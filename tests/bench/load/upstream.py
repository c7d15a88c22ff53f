"""A DeepSeek for benches, in a process of its own: paced event streams at the least cost, and its own doubts.

It does what a prompt of `marks.question` asks for; a stream of no given length goes on until `GET /end`.
`GET /stats` tells how late it was, and resets that.
Run: `python -m bench.load.upstream`; it prints its URL.
"""

import asyncio
import json
import re
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import uvloop

from bench.load.marks import MARK_CHARACTERS, now_us

_ASKED = re.compile(rb"bench (\d+) (\d+) (\d+) (\d+)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_PREFIX = (
    b'data: {"id":"930c60df-bf64-41c9-a88e-3ec75f81e00e","object":"chat.completion.chunk",'
    b'"created":1718345013,"model":"deepseek-flash","system_fingerprint":"fp_a49d71b8a1","choices":[{"index":0,"delta":{"content":"'
)
_SUFFIX = b'"},"logprobs":null,"finish_reason":null}]}\n\n'
_SIZE = f"{len(_PREFIX) + MARK_CHARACTERS + len(_SUFFIX):x}\r\n".encode()
_EVENT = _SIZE + _PREFIX
_EVENT_END = _SUFFIX + b"\r\n"
_ROLE = _PREFIX.replace(b'"content":"', b'"role":"assistant","content":"') + _SUFFIX
_LAST = (
    _PREFIX
    + b'"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":16,"completion_tokens":100,'
    b'"total_tokens":116,"prompt_cache_hit_tokens":0,"prompt_cache_miss_tokens":16}}\n\n'
)
_DONE = b"data: [DONE]\n\n"
_STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_WHOLE = json.dumps(
    {
        "id": "930c60df-bf64-41c9-a88e-3ec75f81e00e",
        "object": "chat.completion",
        "created": 1718345013,
        "model": "deepseek-flash",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Yes."},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 16, "completion_tokens": 2, "total_tokens": 18},
    }
).encode()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _whole(body: bytes) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


_BEGIN = _STREAM_HEAD + _chunk(_ROLE)
_FINISH = _chunk(_LAST) + _chunk(_DONE) + b"0\r\n\r\n"


@dataclass
class Stats:
    """What the upstream did since it was last asked."""

    sent: int = 0
    late_us: deque[int] = field(default_factory=lambda: deque(maxlen=200_000))
    dispatch_us: deque[int] = field(default_factory=lambda: deque(maxlen=200_000))
    most_at_once: int = 0
    calls: int = 0
    whole: int = 0
    """Sent since the streams were last told to end."""
    ending: bool = False
    running: int = 0
    """Streams that have begun and not ended."""

    def taken(self) -> bytes:
        document = {
            "sent": self.sent,
            "calls": self.calls,
            "most_at_once": self.most_at_once,
            "whole": self.whole,
            "running": self.running,
            "late_us": _spread(self.late_us),
            "dispatch_us": _spread(self.dispatch_us),
        }
        self.sent = self.calls = 0
        self.late_us.clear()
        self.dispatch_us.clear()
        self.most_at_once = 0
        return json.dumps(document).encode()


def _spread(values: deque[int]) -> list[int]:
    """p50, p99 and the most."""
    ordered = sorted(values) or [0]
    return [ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]]


class Wheel:
    """Sends every stream's next delta when it is due, with one timer for all."""

    def __init__(self, stats: Stats) -> None:
        self._loop = asyncio.get_running_loop()
        self._stats = stats
        self._slots: dict[int, list[Caller]] = {}
        self._now_ms = now_us() // 1000
        self._ticking = False

    def add(self, caller: "Caller") -> None:
        self._stats.running += 1
        self._stats.most_at_once = max(self._stats.most_at_once, self._stats.running)
        if not self._ticking:
            self._ticking = True
            self._stats.ending, self._stats.whole = False, 0
            self._now_ms = now_us() // 1000
            self._loop.call_later(0.001, self._tick)
        self._place(caller, self._now_ms + 1 + hash(caller) // 16 % max(1, min(caller.period_ms, 50)))

    def _place(self, caller: "Caller", due_ms: int) -> None:
        self._slots.setdefault(due_ms, []).append(caller)

    def _tick(self) -> None:
        until = now_us() // 1000
        while self._now_ms < until:
            self._now_ms += 1
            for caller in self._slots.pop(self._now_ms, ()):
                if caller.send_next():
                    self._place(caller, self._now_ms + caller.period_ms)
                else:
                    self._stats.running -= 1
                self._stats.late_us.append(max(0, now_us() - self._now_ms * 1000 - 1000))
        if self._stats.running:
            self._loop.call_later(0.001, self._tick)
        else:
            self._ticking = False


class Caller(asyncio.Protocol):
    """One connection of who asks."""

    def __init__(self, wheel: Wheel, stats: Stats) -> None:
        self._wheel = wheel
        self._stats = stats
        self._rest = b""
        self._transport: Any = None
        self._mark = b""
        self._seq = 0
        self._deltas = 0
        self.period_ms = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        data = self._rest + data
        head, found, body = data.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or len(body) < (int(length.group(1)) if length else 0):
            self._rest = data
            return
        self._rest = b""
        if head.startswith(b"GET /end"):
            self._stats.ending = True
            self._transport.write(_whole(b"{}"))
        elif head.startswith(b"GET"):
            self._transport.write(_whole(self._stats.taken() if b"/stats" in head else b'{"data":[]}'))
        else:
            self._answer(body)

    def _answer(self, body: bytes) -> None:
        asked = _ASKED.search(body)
        assert asked is not None, "a bench's prompt says what to do"
        stream, self._deltas, self.period_ms, asked_us = map(int, asked.groups())
        self._stats.calls += 1
        self._stats.dispatch_us.append(now_us() - asked_us)
        if b'"stream":true' not in body.replace(b" ", b""):
            self._transport.write(_whole(_WHOLE))
            return
        self._mark, self._seq = b"~%05d." % stream, 0
        self._transport.write(_BEGIN)
        self._wheel.add(self)

    def send_next(self) -> bool:
        """One delta; False once the stream has ended."""
        if self._transport.is_closing():
            return False
        if self._seq == self._deltas if self._deltas else self._stats.ending:
            self._transport.write(_FINISH)
            return False
        self._transport.write(b"%b%b%05d@%015d%b" % (_EVENT, self._mark, self._seq, now_us(), _EVENT_END))
        self._seq += 1
        self._stats.sent += 1
        self._stats.whole += 1
        return True


async def main() -> None:
    loop = asyncio.get_running_loop()
    stats = Stats()
    wheel = Wheel(stats)
    server = await loop.create_server(lambda: Caller(wheel, stats), "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
