"""The broker goes away, and comes back."""

import asyncio
import logging
import traceback
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
import pytest

from fleet_chassis.topology import apply
from fleet_client import (
    BrokerUnreachable,
    Fleet,
    FleetClosed,
    NotDelivered,
    Text,
    Unroutable,
)
from fleet_contracts.topology import REQUESTS
from harness import replies as wire
from harness.broker import SharedBroker
from harness.scripted_worker import Asked, say, scripted_worker
from harness.waiting import until

PROMPT = "a private question"


def vhost_of(url: str) -> str:
    return unquote(urlsplit(url).path[1:])


async def cut_all_connections(broker: SharedBroker, url: str) -> None:
    await broker.ctl("close_all_connections", "--vhost", vhost_of(url), "cut by a test")


async def delete_queue(url: str, name: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(name)


async def test_an_answer_that_comes_while_the_connection_is_cut_still_arrives(
    fleet_vhost: str, broker: SharedBroker
) -> None:
    async with Fleet(fleet_vhost) as fleet:
        async with scripted_worker(fleet_vhost) as worker:
            answer = asyncio.create_task(fleet.complete("hi"))
            [asked] = await worker.until_asked()
        await cut_all_connections(broker, fleet_vhost)
        await say(fleet_vhost, asked, wire.result(asked.id, "still here"))
        assert (await answer).text == "still here"


async def test_a_request_whose_channel_confirms_nothing_any_more_goes_over_a_new_one(
    fleet_vhost: str, broker: SharedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fleet_client.broker.publisher._CONFIRM_TIMEOUT_S", 0.5)
    async with Fleet(fleet_vhost) as fleet:
        await fleet.submit("hi")
        async with broker.deaf_channels(fleet_vhost):
            await fleet.submit("hi", timeout_s=30)


async def test_a_stream_goes_on_after_the_connection_was_cut(fleet_vhost: str, broker: SharedBroker) -> None:
    async with Fleet(fleet_vhost) as fleet, scripted_worker(fleet_vhost) as worker:
        events = fleet.stream("hi")
        first = asyncio.ensure_future(anext(events))
        [asked] = await worker.until_asked()
        await asked.say(wire.chunk(asked.id, 0, "Hel"))
        assert await first == Text("Hel")

        await cut_all_connections(broker, fleet_vhost)
        await say(fleet_vhost, asked, wire.chunk(asked.id, 0, "Hel"), wire.chunk(asked.id, 1, "lo"))
        await say(fleet_vhost, asked, wire.result(asked.id, "Hello", last_seq=1))
        rest = [event async for event in events]
    assert rest[0] == Text("lo")
    assert len(rest) == 2


async def test_a_call_outlives_a_killed_broker(fleet_vhost: str, broker: SharedBroker) -> None:
    async with Fleet(fleet_vhost) as fleet:
        async with scripted_worker(fleet_vhost) as worker:
            answer = asyncio.create_task(fleet.complete("hi"))
            [asked] = await worker.until_asked()
        await broker.settle()
        await broker.kill()
        await broker.restart()
        await say(fleet_vhost, asked, wire.result(asked.id, "after the power cut"))
        assert (await answer).text == "after the power cut"


async def test_a_request_made_while_the_broker_is_away_is_delivered_when_it_is_back(
    fleet_vhost: str, broker: SharedBroker
) -> None:
    async def script(asked: Asked) -> None:
        await asked.say(wire.result(asked.id, "here"))

    async with Fleet(fleet_vhost) as fleet:
        await broker.settle()
        await broker.stop_app()
        answer = asyncio.create_task(fleet.complete("hi", id="patient"))
        await asyncio.sleep(0)
        await broker.start_app()
        async with scripted_worker(fleet_vhost, script):
            assert (await answer).id == "patient"


async def test_however_long_the_broker_is_away_its_end_and_its_return_are_told_once(
    fleet_vhost: str, broker: SharedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "fleet_client")
    async with Fleet(fleet_vhost):
        await broker.settle()
        await broker.stop_app()
        await until(lambda: caplog.text.count("There is no connection for replies yet") > 1)
        await broker.start_app()
        await until(lambda: caplog.text.count("is open again") > 1, deadline_s=30)
    told = [
        record.getMessage().partition(" (")[0].partition(",")[0]
        for record in caplog.records
        if record.name == "fleet_client" and record.levelno >= logging.WARNING
    ]
    assert sorted(told) == [
        "The connection for replies broke",
        "The connection for replies is open again",
        "The connection for requests broke",
        "The connection for requests is open again",
    ]


async def test_what_was_asked_through_a_deleted_reply_queue_is_asked_again(fleet_vhost: str) -> None:
    async def script(asked: Asked) -> None:
        if len(worker.asked) > 1:
            await asked.say(wire.result(asked.id, "said twice"))

    async with scripted_worker(fleet_vhost, script) as worker, Fleet(fleet_vhost) as fleet:
        answer = asyncio.create_task(fleet.complete("hi"))
        [first] = await worker.until_asked()
        await delete_queue(fleet_vhost, first.reply_to)
        assert (await answer).text == "said twice"
    first, second = worker.asked
    assert (first.id, first.body, first.reply_to) == (second.id, second.body, second.reply_to)
    assert first.message.message_id != second.message.message_id


async def test_a_broker_without_the_topology_is_told_at_once(vhost: str) -> None:
    async with Fleet(vhost) as fleet:
        with pytest.raises(Unroutable, match="fleet topology apply"):
            await fleet.complete("hi", timeout_s=20)
        await apply(vhost)
        async with scripted_worker(vhost, lambda asked: asked.say(wire.result(asked.id, "now"))):
            assert (await fleet.complete("hi")).text == "now"


async def test_an_exchange_that_leads_nowhere_is_told_at_once(vhost: str) -> None:
    async with await aio_pika.connect(vhost) as connection:
        await (await connection.channel()).declare_exchange(REQUESTS, aio_pika.ExchangeType.TOPIC)
    async with Fleet(vhost) as fleet:
        with pytest.raises(Unroutable, match="fleet topology apply") as told:
            await fleet.complete(PROMPT, timeout_s=20)
    assert PROMPT not in "".join(traceback.format_exception(told.value))


async def test_a_full_queue_is_tried_again_until_the_calls_time_is_over(vhost: str) -> None:
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(REQUESTS, aio_pika.ExchangeType.TOPIC)
        full: dict[str, Any] = {"x-max-length": 0, "x-overflow": "reject-publish"}
        queue = await channel.declare_queue("full", durable=True, arguments=full)
        await queue.bind(exchange, "#")
    async with Fleet(vhost) as fleet:
        with pytest.raises(NotDelivered, match="queue is full"):
            await fleet.complete("hi", timeout_s=2)


async def test_no_broker_is_told_without_the_password() -> None:
    with pytest.raises(BrokerUnreachable) as told:
        async with Fleet("amqp://me:hunter2@127.0.0.1:1/", connect_timeout_s=0.5):
            pass
    assert "127.0.0.1:1" in str(told.value)
    assert "hunter2" not in str(told.value)


async def test_a_wrong_password_is_told_at_once(fleet_vhost: str) -> None:
    wrong = fleet_vhost.replace("//", "//somebody:else@", 1) if "@" not in fleet_vhost else None
    if wrong is None:
        scheme, _, rest = fleet_vhost.partition("//")
        wrong = f"{scheme}//somebody:else@{rest.partition('@')[2]}"
    async with asyncio.timeout(30):
        with pytest.raises(BrokerUnreachable):
            async with Fleet(wrong, connect_timeout_s=60):
                pass


async def test_leaving_ends_what_is_under_way_and_removes_everything(fleet_vhost: str) -> None:
    before = asyncio.all_tasks()
    async with scripted_worker(fleet_vhost) as worker:
        async with Fleet(fleet_vhost) as fleet:
            waiting = asyncio.create_task(fleet.complete("hi", id="left-behind"))
            [asked] = await worker.until_asked()
        with pytest.raises(FleetClosed) as told:
            await waiting
        assert told.value.correlation_id == "left-behind"
        async with await aio_pika.connect(fleet_vhost) as connection:
            with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
                await (await connection.channel()).get_queue(asked.reply_to)
    await until(lambda: asyncio.all_tasks() <= before)
