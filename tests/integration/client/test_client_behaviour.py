"""What every client does, whether a broker is behind it or a FakeFleet."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fleet_client import (
    Accepted,
    Event,
    Finished,
    FleetClosed,
    InvalidRequest,
    NoReply,
    RateLimited,
    Reasoning,
    Restarted,
    Text,
    UpstreamInterrupted,
    Waiting,
)
from fleet_client.testing import Fails, Says, Silence
from harness.stages import Open

CALL: dict[str, Any] = {"id": "t1", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
MISTAKES: list[dict[str, Any]] = [
    {"stream": True},
    {"lane": "express"},
    {"retry": -1},
    {"id": "a\nb"},
    {"on_break": "never"},
]


def shown(events: list[Event]) -> list[Event]:
    """What came before the end, without the worker's name."""
    assert isinstance(events[-1], Finished)
    return [event for event in events[:-1] if not isinstance(event, Accepted)]


async def test_a_question_gets_its_answer(stage: Open) -> None:
    async with stage("yes") as play:
        answer = await play.fleet.complete("Is it overdue?", id="invoice-42", max_tokens=5)
    assert (answer.text, answer.id, answer.finish_reason) == ("yes", "invoice-42", "stop")
    [asked] = play.asked()
    assert (asked.prompt, asked.body["max_tokens"], asked.stream) == ("Is it overdue?", 5, False)


async def test_a_stream_yields_the_answer_as_it_is_written(stage: Open) -> None:
    async with stage(Says(["Hel", "lo"], reasoning="hm")) as play:
        events = [event async for event in play.fleet.stream("hi")]
    assert isinstance(events[0], Accepted)
    assert shown(events) == [Reasoning("hm"), Text("Hel"), Text("lo")]


async def test_a_broken_attempt_is_taken_back(stage: Open) -> None:
    async with stage(Says(["right"], broken=["wrong"])) as play:
        events = [event async for event in play.fleet.stream("hi")]
    assert shown(events) == [Text("wrong"), Restarted(2, "worker_lost"), Text("right")]
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert (finished.answer.text, finished.answer.attempts) == ("right", 2)


async def test_tool_calls_come_with_the_answer(stage: Open) -> None:
    async with stage(Says(tool_calls=[CALL])) as play:
        answer = await play.fleet.complete("Weather in Oslo?", tools=[{"type": "function"}])
    assert answer.finish_reason == "tool_calls"
    assert answer.tool_calls[0].function.arguments == '{"city": "Oslo"}'


async def test_the_middle_is_filled_in(stage: Open) -> None:
    async with stage("x):") as play:
        assert (await play.fleet.fim("def f(", suffix="return x")).text == "x):"
    [asked] = play.asked()
    assert (asked.type, asked.prompt, asked.body["suffix"]) == ("fim.v1", "def f(", "return x")


async def test_a_failure_is_an_exception_of_its_kind(stage: Open) -> None:
    async with stage(Fails("rate_limited", upstream={"status": 429})) as play:
        with pytest.raises(RateLimited) as told:
            await play.fleet.complete("hi", id="c-9")
    assert told.value.correlation_id == "c-9"
    assert told.value.upstream is not None
    assert told.value.upstream.status == 429


async def test_a_stream_that_fails_shows_what_came_before(stage: Open) -> None:
    events: list[Event] = []
    async with stage(Fails("upstream_interrupted", partial="half")) as play:
        with pytest.raises(UpstreamInterrupted) as told:
            events.extend([event async for event in play.fleet.stream("hi", on_break="fail")])
    assert told.value.partial is not None
    assert told.value.partial.content == "half"
    assert "half" not in str(told.value)


async def test_every_term_of_a_call_reaches_the_fleet(stage: Open) -> None:
    async with stage("ok", tenant="billing", now_ms=lambda: 1_795_000_000_000) as play:
        await play.fleet.complete(
            "hi",
            id="invoice-42",
            retry=2,
            tenant="refunds",
            lane="batch",
            deadline=60,
            on_break="continue",
            waiting=print,
            traceparent=TRACEPARENT,
            tracestate="a=b",
            thinking=False,
        )
    [asked] = play.asked()
    assert (asked.id, asked.retry, asked.tenant, asked.lane) == ("invoice-42", 2, "refunds", "batch")
    assert asked.body["thinking"] == {"type": "disabled"}
    assert asked.headers == {
        "fleet-tenant": "refunds",
        "fleet-retry": 2,
        "fleet-deadline-ms": 1_795_000_060_000,
        "fleet-on-break": "continue",
        "fleet-waiting": True,
        "traceparent": TRACEPARENT,
        "tracestate": "a=b",
    }


async def test_who_asked_for_it_is_told_of_the_wait(stage: Open) -> None:
    told: list[Waiting] = []
    async with stage(Says("a", waits=[2, 1]), Says("b", waits=[7]), Says("c", waits=[7])) as play:
        await play.fleet.complete("hi", waiting=told.append)
        events = [event async for event in play.fleet.stream("hi", waiting=True)]
        quiet = [event async for event in play.fleet.stream("hi")]
    assert told == [Waiting(2, None), Waiting(1, None)]
    assert shown(events) == [Waiting(7, None), Text("b")]
    assert shown(quiet) == [Text("c")]


async def test_silence_ends_at_the_deadline_and_the_fleet_is_told(stage: Open) -> None:
    async with stage(Silence(), Silence(), grace_s=0) as play:
        with pytest.raises(NoReply):
            await play.fleet.complete("hi", timeout_s=2, id="late")
        await play.until_cancelled("late")
        with pytest.raises(NoReply):
            await play.fleet.complete(
                "hi", deadline=datetime.now(UTC) + timedelta(seconds=2), id="late again"
            )
        await play.until_cancelled("late", "late again")


async def test_cancelling_the_task_cancels_the_request(stage: Open) -> None:
    async with stage(Silence()) as play:
        call = asyncio.create_task(play.fleet.complete("hi", id="unwanted"))
        await play.until_asked()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await play.until_cancelled("unwanted")


async def test_a_cancel_still_goes_out_where_the_fleet_is_left_at_once(stage: Open) -> None:
    async with stage(Silence()) as play:
        call = asyncio.create_task(play.fleet.complete("hi", id="unwanted"))
        await play.until_asked()
        call.cancel()
        await asyncio.wait([call])
        await play.fleet.__aexit__(None, None, None)
        await play.until_cancelled("unwanted")


async def test_leaving_a_stream_early_cancels_the_request(stage: Open) -> None:
    async with stage(Silence("one")) as play:
        async for event in play.fleet.stream("count", id="enough"):
            if isinstance(event, Text):
                break
        await play.until_cancelled("enough")


async def test_what_ended_by_itself_is_not_cancelled(stage: Open) -> None:
    async with stage("ok", Fails("internal"), "ok") as play:
        await play.fleet.complete("hi")
        with pytest.raises(Exception, match="internal"):
            await play.fleet.complete("hi")
        async for event in play.fleet.stream("hi"):
            if isinstance(event, Finished):
                break
        call = asyncio.create_task(play.fleet.complete("hi", id="marker"))
        await play.until_asked(4)
        call.cancel()
        await play.until_cancelled("marker")


async def test_an_id_has_one_call_at_a_time(stage: Open) -> None:
    async with stage(Silence()) as play:
        first = asyncio.create_task(play.fleet.complete("hi", id="one"))
        await play.until_asked()
        with pytest.raises(InvalidRequest, match="under way"):
            await play.fleet.complete("hi", id="one")
        first.cancel()


async def test_asking_again_after_a_failure_is_another_request(stage: Open) -> None:
    async with stage(Fails("upstream_unavailable"), "better") as play:
        with pytest.raises(Exception, match="upstream_unavailable"):
            await play.fleet.complete("hi", id="again")
        assert (await play.fleet.complete("hi", id="again", retry=1)).text == "better"
    assert [(asked.id, asked.retry) for asked in play.asked()] == [("again", 0), ("again", 1)]


async def test_leaving_ends_what_is_under_way(stage: Open) -> None:
    async with stage(Silence()) as play:
        call = asyncio.create_task(play.fleet.complete("hi", id="left-behind"))
        await play.until_asked()
    with pytest.raises(FleetClosed) as told:
        await call
    assert told.value.correlation_id == "left-behind"
    assert list(play.cancelled()) == []


async def test_a_slow_reader_loses_nothing_and_its_buffer_is_bounded(stage: Open) -> None:
    words = [f"{number} " for number in range(600)]
    async with stage(Says(words), "quick", "last", max_buffered_events=16) as play:
        sleeper = play.fleet.stream("long", id="long")
        first = await anext(sleeper)
        assert (await play.fleet.complete("short")).text == "quick"
        await play.until_said("long")
        # Comes through the same queue, so all of it has arrived by then.
        assert (await play.fleet.complete("behind it")).text == "last"
        events = [first, *[event async for event in sleeper]]
    assert "".join(event.text for event in events if isinstance(event, Text)) == "".join(words)
    assert len(events) < 300


async def test_a_fleet_is_entered_once(stage: Open) -> None:
    async with stage() as play:
        with pytest.raises(RuntimeError, match="share it"):
            await play.fleet.__aenter__()


async def test_a_mistake_is_told_before_anything_is_sent(stage: Open) -> None:
    async with stage() as play:
        for wrong in MISTAKES:
            with pytest.raises(InvalidRequest):
                await play.fleet.complete("hi", **wrong)
        with pytest.raises(InvalidRequest, match="traceparent"):
            await play.fleet.complete("hi", traceparent="yesterday")
    assert list(play.asked()) == []
