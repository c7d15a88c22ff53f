"""Holds every release of aiohttp to what `pushing` relies on, and its public way to the same answers."""

import asyncio
from contextlib import aclosing
from contextvars import ContextVar
from typing import NoReturn

import aiohttp
import pytest

from fleet_chassis.clock import SystemClock
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import Delta
from fleet_worker.deepseek import Clocks, DeepSeek, Endpoints
from fleet_worker.deepseek.auth import auth_of
from fleet_worker.deepseek.sending import Sender
from harness.deepseek_calls import chat, complete, failed, joined
from harness.raw_upstream import HEAD, RawUpstream, Wire, raw_upstream
from harness.upstream import chat_stream, soon

pytestmark = pytest.mark.sockets
both_ways = pytest.mark.parametrize("pushes", [True, False], ids=["pushed", "public_api"])
TEXTS = [f"word {number} é " for number in range(50)]


def client(upstream: RawUpstream, *, pushes: bool = True) -> DeepSeek:
    sender = Sender.open(10, pushes=pushes)
    return DeepSeek(sender, auth_of("sk-1"), Endpoints(upstream.url), Clocks(), SystemClock())


async def tell(wire: Wire) -> None:
    """A whole answer: some events in the head's segment, some cut in two, each in a chunk of its own."""
    first, *events = chat_stream(TEXTS)
    await wire.send(HEAD + b"%x\r\n%b\r\n" % (len(first), first))
    for number, event in enumerate(events):
        if number % 7 == 0:
            await asyncio.sleep(0.001)
        cut = len(event) // 2 if number % 5 == 0 else len(event)
        await wire.chunk(*filter(None, (event[:cut], event[cut:])))
    await wire.send(b"0\r\n\r\n")


async def break_off(wire: Wire) -> None:
    await wire.send(HEAD)
    await wire.chunk(*chat_stream(TEXTS)[:20])
    await asyncio.sleep(0.02)
    await wire.hang_up()


async def end_early(wire: Wire) -> None:
    await wire.send(HEAD)
    await wire.chunk(*chat_stream(TEXTS)[:20])
    await asyncio.sleep(0.02)
    await wire.send(b"0\r\n\r\n")


async def garble(wire: Wire) -> None:
    await wire.send(HEAD)
    await wire.chunk(*chat_stream(TEXTS)[:20])
    await asyncio.sleep(0.02)
    await wire.chunk(b'data: {"choices": 1}\n\n', *chat_stream(TEXTS)[20:])


@both_ways
async def test_answers_are_whole_and_their_connection_serves_the_next_call(pushes: bool):
    async with raw_upstream(tell) as upstream, aclosing(client(upstream, pushes=pushes)) as deepseek:
        for _ in range(3):
            _, deltas = await complete(deepseek, chat())
            assert joined(deltas, "content") == "".join(TEXTS)
    assert upstream.connections == 1


@both_ways
@pytest.mark.parametrize("answer", [break_off, end_early, garble])
async def test_what_breaks_is_told_with_the_text_so_far(answer: object, pushes: bool):
    async with raw_upstream(answer) as upstream, aclosing(client(upstream, pushes=pushes)) as deepseek:  # type: ignore[arg-type]
        error = await failed(deepseek)
        assert error.code is ErrorCode.UPSTREAM_INTERRUPTED
        assert error.partial == {"content": "".join(TEXTS[:19])}
        await failed(deepseek)
    assert upstream.connections == 2 - (answer is end_early)


async def test_pieces_are_pushed_and_never_asked_for(monkeypatch: pytest.MonkeyPatch):
    def not_asked(_: object) -> NoReturn:
        pytest.fail("aiohttp has changed: see deepseek/pushing.py, and set FLEET_PLAIN_READ=true until then")

    async with raw_upstream(tell) as upstream, aclosing(client(upstream)) as deepseek:
        monkeypatch.setattr(aiohttp.StreamReader, "_wait", not_asked)
        _, deltas = await complete(deepseek, chat())
    assert joined(deltas, "content") == "".join(TEXTS)


async def test_a_bug_in_who_takes_a_piece_ends_its_own_call_alone():
    def stumble(_: Delta) -> NoReturn:
        raise ZeroDivisionError

    async with raw_upstream(tell) as upstream, aclosing(client(upstream)) as deepseek:
        with pytest.raises(ZeroDivisionError):
            await deepseek.complete(chat(), soon(), stumble)
        _, deltas = await complete(deepseek, chat())
    assert joined(deltas, "content") == "".join(TEXTS)


async def test_pieces_are_taken_in_the_context_of_their_own_call():
    caller: ContextVar[int] = ContextVar("caller")
    heard: list[int] = []

    async def call(number: int) -> None:
        caller.set(number)
        await deepseek.complete(chat(), soon(), lambda _: heard.append(caller.get()))

    async with raw_upstream(tell) as upstream, aclosing(client(upstream)) as deepseek:
        # The second one takes the first one's connection, which was opened in the first one's context.
        for number in (1, 2):
            await asyncio.create_task(call(number))
    assert upstream.connections == 1
    assert heard == [1] * len(TEXTS) + [2] * len(TEXTS)


async def test_a_cancelled_call_closes_its_socket():
    async def go_on(wire: Wire) -> None:
        await wire.send(HEAD)
        await wire.chunk(*chat_stream(TEXTS)[:3])
        await wire.chunk_for_ever(b": still here\n\n", 0.01)

    began = asyncio.Event()
    async with raw_upstream(go_on) as upstream, aclosing(client(upstream)) as deepseek:
        call = asyncio.create_task(deepseek.complete(chat(), soon(), lambda _: began.set()))
        async with asyncio.timeout(20):
            await began.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await upstream.hung_up.wait()
