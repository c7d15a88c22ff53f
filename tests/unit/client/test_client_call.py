"""One call and its reader, with the event loop's own time."""

import asyncio
from itertools import count
from typing import Any

import pytest

from fleet_client.call import Call
from fleet_client.errors import FleetClosed, Internal, NoReply, NotDelivered
from fleet_client.events import Accepted, Event, Finished, History, Restarted, Text
from fleet_client.reading import read
from fleet_client.request import Request
from fleet_contracts import RequestType
from harness import replies as wire

CID = "c-1"


def a_call(*, timeout_s: float = 60.0, grace_s: float = 0.0, capacity: int = 100) -> Call:
    numbers = count(1)
    return Call(
        Request(CID, "default", 0, RequestType.CHAT, b"{}", "interactive.default", {}, timeout_s),
        now=asyncio.get_running_loop().time(),
        grace_s=grace_s,
        capacity=capacity,
        word=lambda: f"m-{next(numbers)}",
    )


def give(call: Call, *replies: dict[str, Any]) -> None:
    for reply in replies:
        received = read(wire.encoded(reply))
        assert received is not None
        call.take(received)


async def read_all(call: Call) -> list[Event | History]:
    events = [await call.next()]
    while not isinstance(events[-1], Finished):
        events.append(await call.next())
    return events


async def test_a_reader_waits_for_what_comes() -> None:
    call = a_call()
    reading = asyncio.create_task(read_all(call))
    await asyncio.sleep(0)
    give(call, wire.chunk(CID, 0, "hi"), wire.result(CID, "hi", last_seq=0))
    assert [type(event) for event in await reading] == [Text, Finished]


async def test_a_call_without_a_word_ends_at_its_deadline() -> None:
    with pytest.raises(NoReply) as told:
        await a_call(timeout_s=0.01).next()
    assert told.value.correlation_id == CID


async def test_the_fleets_own_word_about_the_deadline_may_come_a_little_later() -> None:
    call = a_call(timeout_s=0.01, grace_s=60)
    reading = asyncio.create_task(call.next())
    give(call, wire.failure(CID, "deadline_exceeded"))
    with pytest.raises(Exception, match="deadline_exceeded: It ended"):
        await reading


async def test_a_slow_reader_keeps_a_bounded_buffer_and_still_gets_everything() -> None:
    call = a_call(capacity=10)
    words = [f"{number} " for number in range(1000)]
    give(call, wire.accepted(CID), *(wire.chunk(CID, seq, word) for seq, word in enumerate(words)))
    assert "10 of 10" in repr(call.mailbox)

    give(call, wire.result(CID, "".join(words), last_seq=999))
    events = await read_all(call)
    assert "".join(event.text for event in events if isinstance(event, Text)) == "".join(words)
    assert not any(isinstance(event, Restarted) for event in events)


async def test_a_restart_empties_the_buffer_of_what_no_longer_counts() -> None:
    call = a_call(capacity=4)
    give(call, wire.accepted(CID), *(wire.chunk(CID, seq, "old") for seq in range(9)))
    give(call, wire.restarted(CID, 2, "r2"), wire.chunk(CID, 0, "new", attempt=2, run="r2"))
    give(call, wire.result(CID, "new", attempt=2, last_seq=0))
    assert (await read_all(call))[:3] == [Accepted(1, 3, "w1"), Restarted(2, "worker_lost"), Text("new")]


async def test_an_error_from_here_ends_the_call_once() -> None:
    call = a_call()
    call.fail(NotDelivered("first"))
    call.fail(Internal("second"))
    with pytest.raises(NotDelivered):
        await call.next()


async def test_an_error_from_here_does_not_replace_the_answer() -> None:
    call = a_call()
    give(call, wire.result(CID, "hi"))
    call.fail(FleetClosed("closed"))
    assert isinstance((await read_all(call))[-1], Finished)


async def test_a_refusal_counts_only_for_a_publish_of_this_call() -> None:
    call = a_call()
    message_id = call.next_message_id()
    give(call, wire.refusal(CID, "m-of-somebody-else"), wire.chunk(CID, 0, "hi"))
    assert await call.next() == Text("hi")
    give(call, wire.refusal(CID, message_id, "invalid_request"))
    with pytest.raises(Exception, match="invalid_request"):
        await call.next()
