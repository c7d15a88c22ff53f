"""The simulated DeepSeek, behind the worker's own HTTP client: streams, and every way in which they break."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import httpx
import orjson

from simulation.loop import Process
from simulation.world import World

MODEL = "deepseek-flash"
LONGEST_SILENCE_S = 10_000.0


class Fate(StrEnum):
    """How a call goes."""

    WHOLE = "whole"
    CUT = "cut"
    """The connection breaks in the middle."""
    FULL = "429"
    """Too many calls at once."""
    DOWN = "503"
    LATER = "429 for a while"
    """Too many calls, and a Retry-After for which no delivery is held."""
    EMPTY = "402"
    """The account has no money; asked for its balance, it has some again."""
    SILENT = "silent"
    """Nothing comes any more, and the connection stays."""
    UNREACHABLE = "unreachable"


TURNS_AWAY = frozenset({Fate.FULL, Fate.LATER, Fate.DOWN, Fate.EMPTY})
"""Nothing is taken on and nothing paid, so it spends no attempt."""


@dataclass(frozen=True, slots=True)
class Weather:
    """How often calls go wrong, and how long they take."""

    fates: dict[Fate, float] = field(default_factory=lambda: {Fate.WHOLE: 1.0})
    longest_s: float = 3.0


@dataclass(eq=False, slots=True)
class UpstreamCall:
    """One call that was begun."""

    number: int
    cid: str
    process: Process
    began: float
    fate: Fate
    ended: str = ""
    """`answered`, `failed`, or `left` where the worker broke it off or died."""
    over_at: float | None = None


class SimulatedUpstream:
    """Answers calls, and counts those that are in flight.

    Args:
        world: the run.
        weather: how calls go.
        chance: draws it.
        began: hears of each call as it begins.
    """

    def __init__(
        self, world: World, weather: Weather, chance: random.Random, began: Callable[[UpstreamCall], None]
    ) -> None:
        self.world = world
        self.weather = weather
        self.chance = chance
        self._began = began
        self.calls: list[UpstreamCall] = []
        self.in_flight: dict[UpstreamCall, None] = {}
        self.most_in_flight = 0

    def begin(self, cid: str, process: Process) -> UpstreamCall:
        """Begin a call."""
        fates = self.weather.fates
        fate = self.chance.choices(list(fates), list(fates.values()))[0]
        call = UpstreamCall(len(self.calls) + 1, cid, process, self.world.loop.time(), fate)
        self.calls.append(call)
        self.in_flight[call] = None
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        self.world.note("upstream", "call begins", f"{cid} #{call.number} of {process.name}: {fate}")
        self._began(call)
        return call

    def end(self, call: UpstreamCall, how: str) -> None:
        """A call is over."""
        if call in self.in_flight:
            del self.in_flight[call]
            call.ended, call.over_at = how, self.world.loop.time()
            self.world.note("upstream", f"call {how}", f"{call.cid} #{call.number}")

    def died(self, process: Process) -> None:
        """Its sockets are closed."""
        for call in [one for one in self.in_flight if one.process is process]:
            self.end(call, "left")


class Sockets(httpx.AsyncBaseTransport):
    """One worker's connections to the upstream."""

    def __init__(self, upstream: SimulatedUpstream, process: Process) -> None:
        self._upstream, self._process = upstream, process

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one call."""
        upstream, chance = self._upstream, self._upstream.chance
        if upstream.world.over:
            raise httpx.ConnectError("the run is over")
        asked = orjson.loads(request.content)
        cid = [one["content"] for one in asked["messages"] if one["role"] == "user"][-1]
        call = upstream.begin(cid, self._process)
        try:
            await asyncio.sleep(0.05 + chance.random() * 0.3)
            _check_reachable(call)
            match call.fate:
                case fate if fate in _STATUS:
                    upstream.end(call, "failed")
                    return _refusal(fate, request)
                case _:
                    stream = _Stream(upstream, call, asked)
                    return httpx.Response(200, stream=stream, request=request)
        except httpx.ReadError:
            upstream.end(call, "failed")
            raise
        except BaseException:
            upstream.end(call, "left")
            raise


def _check_reachable(call: UpstreamCall) -> None:
    if call.fate is Fate.UNREACHABLE:
        raise httpx.ReadError("the connection was reset")


_STATUS = {Fate.FULL: 429, Fate.LATER: 429, Fate.DOWN: 503, Fate.EMPTY: 402}


def _refusal(fate: Fate, request: httpx.Request) -> httpx.Response:
    body = {"error": {"message": "not now", "type": "some_error"}}
    headers = {"retry-after": "40"} if fate is Fate.LATER else {}
    # As a stream: one made of its content counts as read.
    stream = httpx.ByteStream(orjson.dumps(body))
    return httpx.Response(_STATUS[fate], headers=headers, stream=stream, request=request)


class _Stream(httpx.AsyncByteStream):
    """The body of an answer: words that name their call, so that glued texts show."""

    def __init__(self, upstream: SimulatedUpstream, call: UpstreamCall, asked: dict[str, Any]) -> None:
        self._upstream, self._call, self._asked = upstream, call, asked

    async def __aiter__(self) -> AsyncIterator[bytes]:
        upstream, call, chance = self._upstream, self._call, self._upstream.chance
        words = [f"{call.number}.{at} " for at in range(chance.randint(2, 6))]
        seconds = chance.random() * upstream.weather.longest_s
        breaks_at = chance.randint(0, len(words) - 1) if call.fate is not Fate.WHOLE else -1
        streamed = bool(self._asked.get("stream"))
        for at, word in enumerate(words):
            await asyncio.sleep(seconds / len(words))
            if at == breaks_at:
                await self._break()
            if streamed:
                yield b"data: " + orjson.dumps(_piece({"content": word})) + b"\n\n"
        upstream.end(call, "answered")
        if streamed:
            last = {**_piece({}, "stop"), "usage": _usage(len(words))}
            yield b"data: " + orjson.dumps(last) + b"\n\ndata: [DONE]\n\n"
        else:
            yield orjson.dumps(_whole("".join(words), len(words)))

    async def _break(self) -> None:
        if self._call.fate is Fate.SILENT:
            await asyncio.sleep(LONGEST_SILENCE_S)
        self._upstream.end(self._call, "failed")
        raise httpx.ReadError("the connection broke")

    async def aclose(self) -> None:
        """The worker reads no more."""
        self._upstream.end(self._call, "left")


def _usage(words: int) -> dict[str, int]:
    return {
        "prompt_tokens": 5,
        "completion_tokens": words,
        "total_tokens": 5 + words,
        "prompt_cache_hit_tokens": 0,
        "prompt_cache_miss_tokens": 5,
    }


def _piece(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "8a2c",
        "object": "chat.completion.chunk",
        "created": 1_795_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
    }


def _whole(content: str, words: int) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        "id": "8a2c",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": MODEL,
        "choices": [choice],
        "usage": _usage(words),
    }
