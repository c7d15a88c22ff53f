"""The clocks of an upstream call."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fleet_chassis.clock import SystemClock
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.deepseek import Clocks
from fleet_worker.deepseek.clocks import Watch
from harness.clock import HandClock
from harness.requests import a_request
from harness.simulated_time import LoopClock, in_simulated_time
from harness.upstream import DONE, KEEP_ALIVE, Body, Step, Upstream, chat_stream, chunk, event, silence, soon

SHORT = 0.03


async def failed(
    upstream: Upstream, clocks: Clocks, deadline: Deadline | None = None, **request: Any
) -> CompletionError:
    client = upstream.client(clocks)
    with pytest.raises(CompletionError) as error:
        await client.complete(a_request(**request), deadline or soon(), lambda _: None)
    await client.aclose()
    return error.value


async def test_an_upstream_that_never_answers_is_ended_by_the_headers_clock() -> None:
    error = await failed(Upstream(before=silence), Clocks(headers_s=SHORT))
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_TIMEOUT, True)
    assert "the headers clock of 0.03 s" in str(error)


@pytest.mark.parametrize(
    "preamble",
    [
        b"",
        event(chunk({"role": "assistant", "content": ""})),
        event(chunk({"role": "assistant", "content": None, "reasoning_content": ""})),
        b"\n\n",
    ],
)
async def test_keep_alives_and_empty_deltas_do_not_hold_off_the_first_content_clock(preamble: bytes) -> None:
    upstream = Upstream(Body(preamble, forever=KEEP_ALIVE))
    error = await failed(upstream, Clocks(first_content_s=SHORT))
    assert error.code is ErrorCode.UPSTREAM_TIMEOUT
    assert "first content clock" in str(error)
    assert upstream.body.closed


@pytest.mark.parametrize("forever", [KEEP_ALIVE, event(chunk({"content": ""}))])
async def test_keep_alives_and_empty_deltas_do_not_hold_off_the_gap_clock(forever: bytes) -> None:
    upstream = Upstream(Body(*chat_stream()[:3], forever=forever))
    error = await failed(upstream, Clocks(gap_s=SHORT))
    assert error.code is ErrorCode.UPSTREAM_TIMEOUT
    assert "gap clock" in str(error)
    assert error.partial == {"content": "Hi there"}


@in_simulated_time
async def test_content_holds_off_the_gap_clock() -> None:
    async def pause() -> None:
        await asyncio.sleep(0.1)

    texts = [f"{number} " for number in range(8)]
    steps: list[Step] = [step for piece in chat_stream(texts) for step in (piece, pause)]
    client = Upstream(Body(*steps)).client(Clocks(first_content_s=0.6, gap_s=0.6), LoopClock())
    completion = await client.complete(a_request(), soon(clock=LoopClock()), lambda _: None)
    assert completion.response["choices"][0]["message"]["content"] == "".join(texts)


@in_simulated_time
async def test_reasoning_and_tool_calls_are_content() -> None:
    async def pause() -> None:
        await asyncio.sleep(0.1)

    deltas: list[dict[str, Any]] = [{"reasoning_content": "Hm"}] * 4
    deltas += [{"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "1"}}]}] * 4
    pieces = [*(event(chunk(delta)) for delta in deltas), event(chunk({}, "tool_calls")), DONE]
    steps: list[Step] = [step for piece in pieces for step in (piece, pause)]
    client = Upstream(Body(*steps)).client(Clocks(first_content_s=0.5, gap_s=0.5), LoopClock())
    completion = await client.complete(a_request(), soon(clock=LoopClock()), lambda _: None)
    assert completion.response["choices"][0]["finish_reason"] == "tool_calls"


async def test_keep_alives_without_end_after_the_finish_are_no_success() -> None:
    upstream = Upstream(Body(*chat_stream()[:-1], forever=KEEP_ALIVE))
    error = await failed(upstream, Clocks(after_finish_s=SHORT))
    assert (error.code, error.again) == (ErrorCode.UPSTREAM_TIMEOUT, True)
    assert "after finish clock" in str(error)
    assert error.partial == {"content": "Hi there"}


async def test_content_without_end_is_ended_by_the_total_clock() -> None:
    upstream = Upstream(Body(forever=event(chunk({"content": "x"}))))
    error = await failed(upstream, Clocks(total_s=0.05))
    assert error.code is ErrorCode.UPSTREAM_TIMEOUT
    assert "the total clock of 0.05 s" in str(error)


async def test_an_unstreamed_call_is_held_by_the_total_clock_alone() -> None:
    upstream = Upstream(Body(forever=b"\n"))
    clocks = Clocks(first_content_s=0.01, gap_s=0.01, total_s=0.1)
    error = await failed(upstream, clocks, stream=False)
    assert "the total clock of 0.1 s" in str(error)


@pytest.mark.parametrize(
    "upstream",
    [
        lambda: Upstream(before=silence),
        lambda: Upstream(Body(forever=KEEP_ALIVE)),
        lambda: Upstream(Body(forever=event(chunk({"content": "x"})))),
    ],
)
async def test_the_request_s_own_deadline_is_told_from_the_clocks(upstream: Callable[[], Upstream]) -> None:
    error = await failed(upstream(), Clocks(), soon(SHORT))
    assert (error.code, error.again) == (ErrorCode.DEADLINE_EXCEEDED, False)


async def test_a_request_whose_deadline_has_passed_makes_no_call() -> None:
    upstream = Upstream(Body(*chat_stream()))
    error = await failed(upstream, Clocks(), soon(-1))
    assert error.code is ErrorCode.DEADLINE_EXCEEDED
    assert upstream.calls == []


async def test_a_thousand_pieces_of_content_do_not_set_a_thousand_timers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, clock = asyncio.get_running_loop(), HandClock()
    timers: list[float] = []
    call_at = loop.call_at

    def counted(when: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        timers.append(when - loop.time())
        return call_at(when, callback, *args)

    monkeypatch.setattr(loop, "call_at", counted)
    async with Watch(Clocks(gap_s=5), Deadline(clock.monotonic() + 100), clock) as watch:
        watch.wait_for_content()
        timers.clear()
        for _ in range(1000):
            watch.content()
            clock.advance(0.001)
    assert len(timers) == 2
    assert all(5 <= seconds <= 5.5 for seconds in timers)


async def test_a_timeout_of_somebody_else_passes_through() -> None:
    clock = SystemClock()
    with pytest.raises(TimeoutError, match="not mine"):
        async with Watch(Clocks(), Deadline(clock.monotonic() + 9), clock):
            raise TimeoutError("not mine")


async def test_times_are_counted_from_the_start_of_the_call() -> None:
    clock = HandClock()
    async with Watch(Clocks(), Deadline(clock.monotonic() + 9), clock) as watch:
        clock.advance(0.5)
        assert watch.first_content_ms is None
        watch.content()
        clock.advance(0.25)
        watch.content()
        assert (watch.first_content_ms, watch.elapsed_ms) == (500, 750)


async def test_the_longest_silence_between_two_pieces_of_content_is_remembered() -> None:
    clock = HandClock()
    watch = Watch(Clocks(), soon(clock=clock), clock)
    async with watch:
        clock.advance(5)  # before the first content it is no gap
        for pause_s in (0, 0.5, 2, 0.25):
            clock.advance(pause_s)
            watch.content()
    assert watch.longest_gap_ms == 2000


async def test_one_piece_of_content_has_no_gap() -> None:
    clock = HandClock()
    watch = Watch(Clocks(), soon(clock=clock), clock)
    async with watch:
        watch.content()
    assert watch.longest_gap_ms is None
