"""Many streams at once, and one whose reader sleeps."""

import asyncio

from fleet_client import Fleet, Restarted, Text
from harness import replies as wire
from harness.scripted_worker import Asked, scripted_worker

STREAMS = 200
CHUNKS = 20


async def joined(fleet: Fleet, prompt: str) -> str:
    pieces: list[str] = []
    async for event in fleet.stream(prompt):
        if isinstance(event, Restarted):
            pieces.clear()
        if isinstance(event, Text):
            pieces.append(event.text)
    return "".join(pieces)


async def test_two_hundred_streams_do_not_mix(fleet_vhost: str) -> None:
    async def script(asked: Asked) -> None:
        name = asked.body["messages"][0]["content"]
        for seq in range(CHUNKS):
            await asked.say(wire.chunk(asked.id, seq, f"{name}.{seq} "))
        text = "".join(f"{name}.{seq} " for seq in range(CHUNKS))
        await asked.say(wire.result(asked.id, text, last_seq=CHUNKS - 1))

    async with scripted_worker(fleet_vhost, script), Fleet(fleet_vhost) as fleet:
        texts = await asyncio.gather(*(joined(fleet, f"s{number}") for number in range(STREAMS)))
    assert texts == ["".join(f"s{number}.{seq} " for seq in range(CHUNKS)) for number in range(STREAMS)]


async def test_a_reader_that_sleeps_holds_nobody_up_and_loses_nothing(fleet_vhost: str) -> None:
    sent = asyncio.Event()
    words = [f"{seq} " for seq in range(2000)]

    async def script(asked: Asked) -> None:
        if asked.body["messages"][0]["content"] == "short":
            await asked.say(wire.result(asked.id, "quick"))
            return
        await asyncio.gather(*(asked.say(wire.chunk(asked.id, seq, word)) for seq, word in enumerate(words)))
        await asked.say(wire.result(asked.id, "".join(words), last_seq=len(words) - 1))
        sent.set()

    async with scripted_worker(fleet_vhost, script), Fleet(fleet_vhost, max_buffered_events=16) as fleet:
        sleeper = fleet.stream("long")
        first = await anext(sleeper)
        await sent.wait()
        assert (await fleet.complete("short")).text == "quick"
        events = [first, *[event async for event in sleeper]]
    assert "".join(event.text for event in events if isinstance(event, Text)) == "".join(words)
    assert len(events) < 100
