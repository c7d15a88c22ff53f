"""Calls over a real RabbitMQ, with nothing going wrong."""

import asyncio

import pytest

from fleet_client import (
    Accepted,
    Conflict,
    Finished,
    Fleet,
    InvalidRequest,
    Reasoning,
    Text,
    Waiting,
)
from harness import replies as wire
from harness.scripted_worker import Asked, scripted_worker


async def test_a_request_is_published_as_the_contract_says(fleet_vhost: str) -> None:
    async def script(asked: Asked) -> None:
        await asked.say(wire.result(asked.id, "ok"))

    async with scripted_worker(fleet_vhost, script) as worker, Fleet(fleet_vhost, tenant="billing") as fleet:
        await fleet.complete("hello", lane="batch", id="invoice-7", max_tokens=5)
        await fleet.complete("hello again")
    message, other = (asked.message for asked in worker.asked)
    assert message.routing_key == "batch.billing"
    assert (message.type, message.content_type) == ("chat.v1", "application/json")
    assert message.delivery_mode == 2
    assert message.correlation_id == "invoice-7"
    assert message.reply_to is not None
    assert message.reply_to.startswith("deepseek.reply.billing.")
    assert message.headers["fleet-tenant"] == "billing"
    assert len({message.message_id, other.message_id, message.correlation_id, other.correlation_id}) == 4


async def test_the_broker_vouches_for_a_tenant_that_is_its_user(fleet_vhost: str) -> None:
    async def script(asked: Asked) -> None:
        await asked.say(wire.result(asked.id, asked.message.user_id or "nobody"))

    user = fleet_vhost.split("//")[1].split(":", maxsplit=1)[0]
    async with scripted_worker(fleet_vhost, script):
        async with Fleet(fleet_vhost, tenant=user) as fleet:
            assert (await fleet.complete("who am I?")).text == user
        async with Fleet(fleet_vhost, tenant="another") as fleet:
            assert (await fleet.complete("who am I?")).text == "nobody"


async def test_a_stream_yields_the_answer_as_it_is_written(fleet_vhost: str) -> None:
    async def script(asked: Asked) -> None:
        assert asked.body["stream"] is True
        await asked.say(
            wire.waiting(asked.id, 1),
            wire.accepted(asked.id),
            wire.chunk(asked.id, 0, reasoning_content="hm"),
            wire.chunk(asked.id, 1, "Hel"),
            wire.chunk(asked.id, 2, "lo"),
            wire.result(asked.id, "Hello", reasoning="hm", last_seq=2),
        )

    async with scripted_worker(fleet_vhost, script), Fleet(fleet_vhost) as fleet:
        events = [event async for event in fleet.stream("hi", waiting=True)]
        same = [event async for event in fleet.chat("hi", stream=True)]
    assert events[:-1] == [
        Waiting(1, None),
        Accepted(1, 3, "w1"),
        Reasoning("hm"),
        Text("Hel"),
        Text("lo"),
    ]
    assert isinstance(events[-1], Finished)
    assert same[:-1] == events[:-1]


async def test_duplicates_and_swaps_on_the_wire_are_never_seen(fleet_vhost: str) -> None:
    async def script(asked: Asked) -> None:
        chunks = [wire.chunk(asked.id, seq, str(seq)) for seq in range(10)]
        final = wire.result(asked.id, "0123456789", last_seq=9)
        await asked.say(chunks[0], *reversed(chunks[1:6]), *chunks[3:], final, final)

    async with scripted_worker(fleet_vhost, script), Fleet(fleet_vhost) as fleet:
        events = [event async for event in fleet.stream("count")]
    assert events[:-1] == [Text(str(number)) for number in range(10)]


async def test_a_refused_publish_ends_its_call(fleet_vhost: str) -> None:
    async def script(asked: Asked) -> None:
        await asked.say(wire.refusal(asked.id, asked.message.message_id or ""))

    async with scripted_worker(fleet_vhost, script), Fleet(fleet_vhost) as fleet:
        with pytest.raises(Conflict):
            await fleet.complete("hi", id="taken")


async def test_an_id_can_be_asked_again_after_its_call_ended_but_not_before(fleet_vhost: str) -> None:
    go = asyncio.Event()

    async def script(asked: Asked) -> None:
        await go.wait()
        await asked.say(wire.result(asked.id, "same"))

    async with scripted_worker(fleet_vhost, script) as worker, Fleet(fleet_vhost) as fleet:
        first = asyncio.create_task(fleet.complete("hi", id="one"))
        await worker.until_asked()
        with pytest.raises(InvalidRequest, match="under way"):
            await fleet.complete("hi", id="one")
        go.set()
        assert (await first).text == (await fleet.complete("hi", id="one")).text
