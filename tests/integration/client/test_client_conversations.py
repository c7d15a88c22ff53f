"""What a conversation does for its caller, with a real worker behind it or a FakeFleet."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from fleet_client import (
    Conversation,
    ConversationConflict,
    Finished,
    Fleet,
    InvalidRequest,
    Reasoning,
    Rejected,
    Text,
    ToolRan,
)
from fleet_client.face import Face
from fleet_client.sync import Fleet as SyncFleet
from fleet_client.sync.fleet import Calls
from fleet_client.testing import Asked, Fails, FakeFleet, Says, Silence, SyncFakeFleet
from fleet_simulator.config import SimulatorConfig
from fleet_simulator.faults import Fault, Kind, Match
from fleet_simulator.server import serve
from fleet_worker.bootstrap import start_worker
from harness.house import worker_settings
from harness.waiting import until

pytestmark = pytest.mark.sockets

LOOK: dict[str, Any] = {"id": "call_1", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
OPTIONS: dict[str, Any] = {"timeout_s": 60, "tenant": "acme"}


def answer(asked: Asked) -> Says | Fails | Silence:
    """As the simulator: a tool is called where one is on offer, and its results are answered in words."""
    if "break" in asked.prompt:
        return Fails("upstream_rejected")
    if "wait for ever" in asked.prompt:
        return Silence("Once")
    calls_it = asked.body.get("tools") and asked.body.get("tool_choice") != "none"
    if calls_it and asked.body["messages"][-1]["role"] == "user":
        return Says(tool_calls=[LOOK])
    return Says(f"You said: {asked.prompt}.")


@asynccontextmanager
async def real(url: str) -> AsyncGenerator[None]:
    async with serve(SimulatorConfig().at_once()) as simulator:
        simulator.inject(Fault(Kind.STATUS, Match(prompt="break"), status=422))
        simulator.inject(Fault(Kind.STALL, Match(prompt="wait for ever"), after_chunks=3))
        async with start_worker(worker_settings(url, simulator.base_url)):
            yield


@pytest.fixture(params=["worker", "fake"])
def where(request: pytest.FixtureRequest) -> str | None:
    """The broker of a real fleet; None for a fake one."""
    return None if request.param == "fake" else request.getfixturevalue("fleet_vhost")


@pytest.fixture
async def fleet(where: str | None) -> AsyncGenerator[Face]:
    if where is None:
        async with FakeFleet(otherwise=answer, **OPTIONS) as fake:
            yield fake
        return
    async with real(where), Fleet(where, **OPTIONS) as client:
        yield client


@pytest.fixture
async def sync_fleet(where: str | None) -> AsyncGenerator[Calls]:
    async with AsyncExitStack() as parts:
        if where is not None:
            await parts.enter_async_context(real(where))
        client = SyncFakeFleet(otherwise=answer, **OPTIONS) if where is None else SyncFleet(where, **OPTIONS)
        try:
            yield client
        finally:
            await asyncio.to_thread(client.close)


async def said(conversation: Conversation) -> list[tuple[str, str]]:
    """Roles and texts; thinking and calls are looked at by who cares."""
    history = await conversation.history()
    return [(message["role"], message["content"]) for message in history.messages]


async def test_each_turn_says_only_what_is_new_and_the_history_has_it_all(fleet: Face):
    talk = fleet.conversation("support-9", system="Be brief.", thinking=False)
    first = await talk.send("I am Ada")
    second = await talk.send("Who am I?")
    assert (first.conversation, second.conversation) != (None, None)
    assert talk.version == 2
    assert await said(talk) == [
        ("system", "Be brief."),
        ("user", "I am Ada"),
        ("assistant", first.text),
        ("user", "Who am I?"),
        ("assistant", second.text),
    ]


async def test_a_turn_is_streamed_and_kept_like_any_other(fleet: Face):
    talk = fleet.conversation("streamed")
    events = [event async for event in talk.stream("Tell me of the sea")]
    assert isinstance(events[-1], Finished)
    text = "".join(event.text for event in events if isinstance(event, Text))
    assert text == events[-1].answer.text
    assert await said(talk) == [("user", "Tell me of the sea"), ("assistant", text)]
    assert talk.version == 1


async def test_a_cleared_conversation_begins_anew_and_its_version_goes_on(fleet: Face):
    talk = fleet.conversation("cleared")
    await talk.send("one")
    cleared = await talk.clear()
    assert (cleared.id, cleared.version, cleared.messages) == ("cleared", 2, [])
    await talk.send("two")
    assert talk.version == 3
    assert [role for role, _ in await said(talk)] == ["user", "assistant"]


async def test_a_turn_that_continues_another_version_is_a_conflict_and_leaves_no_trace(fleet: Face):
    talk = fleet.conversation("versions")
    await talk.send("one", version=0)
    with pytest.raises(ConversationConflict):
        await talk.send("two", version=0)
    with pytest.raises(ConversationConflict):
        await talk.clear(version=7)
    await talk.send("two", version=1)
    assert [text for role, text in await said(talk) if role == "user"] == ["one", "two"]


async def test_a_failed_turn_leaves_the_history_as_it_was(fleet: Face):
    talk = fleet.conversation("failing")
    await talk.send("one")
    with pytest.raises(Rejected):
        await talk.send("break")
    assert [text for role, text in await said(talk) if role == "user"] == ["one"]
    assert (await talk.send("two")).conversation is not None
    assert talk.version == 2


async def test_a_cancelled_turn_leaves_the_history_as_it_was_and_the_next_one_goes_on(fleet: Face):
    talk = fleet.conversation("cancelled")
    await talk.send("one")
    async with aclosing(talk.stream("wait for ever")) as events:
        async for event in events:
            if isinstance(event, Reasoning | Text):
                break
    await talk.send("two")
    assert [text for role, text in await said(talk) if role == "user"] == ["one", "two"]


async def test_turns_that_are_asked_at_once_are_taken_one_after_the_other(fleet: Face):
    talk = fleet.conversation("at once")
    answers = await asyncio.gather(*(talk.send(f"question {number}") for number in range(4)))
    versions = [one.conversation.version for one in answers if one.conversation]
    assert sorted(versions) == [1, 2, 3, 4]
    kept = await said(talk)
    pairs = list(zip(kept[::2], kept[1::2], strict=True))
    by_version = sorted(enumerate(answers), key=lambda each: versions[each[0]])
    assert pairs == [(("user", f"question {number}"), ("assistant", one.text)) for number, one in by_version]


async def test_the_same_turn_asked_again_is_kept_once(fleet: Face):
    talk = fleet.conversation("twice")
    first = await talk.send("one", id="turn-1")
    again = await talk.send("one", id="turn-1")
    assert first.text == again.text
    assert first.conversation == again.conversation
    assert len(await said(talk)) == 2


async def test_a_conversation_belongs_to_its_tenant(fleet: Face):
    await fleet.conversation("same name").send("of acme")
    other = fleet.conversation("same name", tenant="beta")
    assert (await other.history()).messages == []
    await other.send("of beta")
    assert [text for role, text in await said(other) if role == "user"] == ["of beta"]


class Weather(BaseModel):
    degrees: int


async def test_functions_are_called_here_and_the_answer_goes_on_with_what_they_said(fleet: Face):
    asked: list[str] = []

    def weather(city: Annotated[str, Field(description="Which city")]) -> Weather:
        """The weather in a city."""
        asked.append(city)
        return Weather(degrees=7)

    talk = fleet.conversation("tools", tools=[weather])
    events = [event async for event in talk.stream("How warm is it in Oslo?")]
    [ran] = [event for event in events if isinstance(event, ToolRan)]
    assert (ran.name, ran.result, ran.failed, len(asked)) == ("weather", '{"degrees":7}', False, 1)
    assert isinstance(events[-1], Finished)
    assert events[-1].answer.finish_reason == "stop"
    history = await talk.history()
    assert [message["role"] for message in history.messages] == ["user", "assistant", "tool", "assistant"]
    assert history.messages[2]["content"] == '{"degrees":7}'
    assert history.version == 2
    answer = await talk.send("And tomorrow?")
    assert answer.text
    assert len(asked) == 2


async def test_a_function_that_raises_tells_the_model_and_not_the_caller(fleet: Face):
    async def weather(city: str) -> str:
        raise RuntimeError(f"no station in {city[:0]}town")

    talk = fleet.conversation("raising", tools=[weather])
    answer = await talk.send("How warm is it in Oslo?")
    assert answer.finish_reason == "stop"
    told = [message["content"] for message in (await talk.history()).messages if message["role"] == "tool"]
    assert told == ['{"error":"RuntimeError: no station in town"}']


async def test_a_model_that_never_stops_calling_has_to_answer_in_words(fleet: Face):
    called: list[str] = []

    def weather(city: str) -> str:
        called.append(city)
        return "cold"

    talk = fleet.conversation("rounds", tools=[weather], max_rounds=2, tool_choice="auto")
    if isinstance(fleet, FakeFleet):
        fleet.will(*[Says(tool_calls=[LOOK])] * 2, "enough")
        answer = await talk.send("go on", thinking=False)
        assert (answer.text, len(called)) == ("enough", 2)
        assert fleet.asked[-1].body["tool_choice"] == "none"
    else:
        assert (await talk.send("go on", thinking=False)).finish_reason == "stop"
        assert len(called) == 1


async def test_calls_of_tools_without_a_function_are_the_callers(fleet: Face):
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    theirs = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    talk = fleet.conversation("theirs", tools=[theirs])
    answer = await talk.send("How warm is it?")
    assert answer.finish_reason == "tool_calls"
    results = [{"role": "tool", "tool_call_id": call.id, "content": "cold"} for call in answer.tool_calls]
    assert (await talk.send(results, version=talk.version)).text


async def test_a_call_that_nobody_answered_does_not_end_the_conversation(fleet: Face):
    theirs = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    talk = fleet.conversation("left open")
    await talk.send("How warm is it?", tools=[theirs])
    assert (await talk.send("Never mind")).finish_reason == "stop"


def no_types(city):  # pyright: ignore[reportMissingParameterType, reportUnknownParameterType]  # noqa: ANN001
    return city  # pyright: ignore[reportUnknownVariableType]


async def test_what_can_not_work_is_refused_before_it_is_sent(fleet: Face):
    with pytest.raises(InvalidRequest, match="gives no type for city"):
        fleet.conversation("c", tools=[no_types])  # pyright: ignore[reportUnknownArgumentType]
    for wrong in ("", "a\nb", "x" * 256):
        with pytest.raises(InvalidRequest, match="conversation"):
            await fleet.conversation(wrong).send("hi")


async def test_code_that_waits_has_it_too(sync_fleet: Calls):
    def weather(city: str) -> str:
        return f"cold in {city[:0]}town"

    def talked() -> None:
        talk = sync_fleet.conversation("sync", system="Be brief.", tools=[weather])
        events = list(talk.stream("How warm is it?"))
        assert any(isinstance(event, ToolRan) for event in events)
        assert talk.version == 2
        talk.send("And tomorrow?")
        assert [message["role"] for message in talk.history().messages][:2] == ["system", "user"]
        assert talk.clear().messages == []
        assert talk.version == 5

    await asyncio.to_thread(talked)


async def test_a_fake_turn_waits_for_the_one_before_it():
    async with FakeFleet(Silence(), "second", **OPTIONS) as fake:
        talk = fake.conversation("c")
        first = asyncio.create_task(talk.send("one"))
        await until(lambda: len(fake.asked) == 1)
        second = asyncio.create_task(talk.send("two"))
        await until(lambda: len(fake.asked) == 2)
        assert not second.done()
        first.cancel()
        assert (await second).text == "second"
