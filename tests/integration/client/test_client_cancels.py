"""Cancels on a real broker: what is published, and that nobody ever waits for it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aio_pika
import jsonschema_rs
import pytest

from fleet_chassis.topology import apply
from fleet_client import Fleet
from fleet_contracts.topology import CONTROL
from harness import replies as wire
from harness.broker import SharedBroker
from harness.scripted_worker import Asked, ScriptedWorker, scripted_worker
from harness.stages import cancels
from harness.waiting import until

pytestmark = pytest.mark.sockets

SCHEMAS = Path(__file__).parents[3] / "contracts/schemas"
SOON_S = 5.0


def properties_of(message: aio_pika.abc.AbstractIncomingMessage) -> dict[str, Any]:
    found = {
        "correlation_id": message.correlation_id,
        "type": message.type,
        "user_id": message.user_id,
        "content_type": message.content_type,
        "delivery_mode": message.delivery_mode,
        "headers": dict(message.headers),
    }
    return {name: value for name, value in found.items() if value is not None}


def check(schema: str, value: object) -> None:
    jsonschema_rs.validator_for(json.loads((SCHEMAS / schema).read_text())).validate(value)


async def leave_early(fleet: Fleet, worker: ScriptedWorker, **options: Any) -> None:
    """Ask, and give up when the worker has the request."""
    before = len(worker.asked)
    call = asyncio.create_task(fleet.complete("hi", **options))
    await worker.until_asked(before + 1)
    call.cancel()
    await asyncio.wait([call])


async def test_a_cancel_is_what_the_contract_says(fleet_vhost: str) -> None:
    user = fleet_vhost.split("//")[1].split(":", maxsplit=1)[0]
    async with (
        cancels(fleet_vhost) as heard,
        scripted_worker(fleet_vhost) as worker,
        Fleet(fleet_vhost, tenant="acme") as fleet,
    ):
        await leave_early(fleet, worker, id="ticket-88")
        await leave_early(fleet, worker, id="ticket-88", retry=1, tenant=user)
        await until(lambda: len(heard) == 2)
    first, second = heard
    for message in heard:
        check("cancel.properties.v1.json", properties_of(message))
        check("cancel.v1.json", json.loads(message.body))
    assert (first.routing_key, first.correlation_id, first.user_id) == ("cancel.acme", "ticket-88", None)
    assert first.headers == {"fleet-tenant": "acme"}
    assert (second.routing_key, second.user_id) == (f"cancel.{user}", user)
    assert second.headers == {"fleet-tenant": user, "fleet-retry": 1}


async def test_a_cancel_holds_nobody_up_while_the_broker_is_away(
    fleet_vhost: str, broker: SharedBroker
) -> None:
    async with scripted_worker(fleet_vhost) as worker:
        fleet = await Fleet(fleet_vhost).__aenter__()
        call = asyncio.create_task(fleet.complete("hi"))
        await worker.until_asked()
    await broker.settle()
    await broker.stop_app()
    try:
        call.cancel()
        async with asyncio.timeout(SOON_S):
            await asyncio.wait([call])
        assert call.cancelled()
        async with asyncio.timeout(4 * SOON_S):
            await fleet.__aexit__(None, None, None)
    finally:
        await broker.start_app()


async def test_without_the_control_exchange_calls_go_on_and_cancels_when_it_is_back(
    fleet_vhost: str,
) -> None:
    async def script(asked: Asked) -> None:
        if asked.id != "unwanted":
            await asked.say(wire.result(asked.id, "ok"))

    async with await aio_pika.connect(fleet_vhost) as connection:
        await (await connection.channel()).exchange_delete(CONTROL)
    async with scripted_worker(fleet_vhost, script) as worker, Fleet(fleet_vhost) as fleet:
        await leave_early(fleet, worker, id="unwanted")
        assert [(await fleet.complete("hi")).text for _ in range(3)] == ["ok"] * 3
        await apply(fleet_vhost)
        async with cancels(fleet_vhost) as heard:
            await leave_early(fleet, worker, id="unwanted", retry=1)
            await until(lambda: len(heard) == 1)


async def test_a_call_that_never_left_is_not_cancelled(
    fleet_vhost: str, broker: SharedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(asked: Asked) -> None:
        if asked.id == "answered":
            await asked.say(wire.result(asked.id, "ok"))

    async with Fleet(fleet_vhost) as fleet:
        await broker.settle()
        await broker.stop_app()
        try:
            await until(lambda: "The connection for requests broke" in caplog.text)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await fleet.complete("hi", id="never-sent")
        finally:
            await broker.start_app()
        async with cancels(fleet_vhost) as heard, scripted_worker(fleet_vhost, script) as worker:
            await fleet.complete("hi", id="answered")  # the connection is back
            await leave_early(fleet, worker, id="sent")
            await until(lambda: len(heard) > 0)
    assert [message.correlation_id for message in heard] == ["sent"]


async def test_hundreds_of_cancels_share_one_channel(fleet_vhost: str) -> None:
    async with cancels(fleet_vhost) as heard, scripted_worker(fleet_vhost) as worker:
        async with Fleet(fleet_vhost) as fleet:
            calls = [asyncio.create_task(fleet.complete("hi", id=str(number))) for number in range(300)]
            await worker.until_asked(300)
            for call in calls:
                call.cancel()
            await until(lambda: len(heard) == 300)
        assert {message.correlation_id for message in heard} == {str(number) for number in range(300)}
