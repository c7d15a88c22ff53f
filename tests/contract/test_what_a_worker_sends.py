"""A real worker takes every example of a request, and whatever it sends fits the schemas."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import jsonschema_rs
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from fleet_chassis.topology import declare_queue
from fleet_contracts.printing.examples import Example, Examples
from fleet_contracts.topology import reply_queue
from fleet_simulator.faults import Match
from harness.breaks import break_once_seen
from harness.caller import until_buried
from harness.house import a_house

pytestmark = pytest.mark.sockets

Validators = Mapping[str, jsonschema_rs.Draft202012Validator]
PATIENCE_S = 30


@asynccontextmanager
async def a_reply_queue(url: str) -> AsyncGenerator[tuple[AbstractChannel, AbstractQueue]]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        wanted = reply_queue("acme", uuid.uuid4().hex)
        await declare_queue(channel, wanted)
        yield channel, await channel.get_queue(wanted.name, ensure=False)


async def publish(channel: AbstractChannel, example: Example, **changes: Any) -> None:
    told = {**example["properties"], **changes}
    # The broker checks user_id against the login, and no example should be too late for its test,
    # nor the turn of a conversation that was begun elsewhere.
    told.pop("user_id", None)
    if "expiration" in told:
        told["expiration"] = int(told["expiration"]) / 1000
    headers = {**told.pop("headers", {})}
    headers.pop("fleet-deadline-ms", None)
    headers.pop("fleet-conversation-version", None)
    message = aio_pika.Message(json.dumps(example["body"]).encode(), headers=headers, **told)
    exchange = await channel.get_exchange(example["exchange"], ensure=False)
    await exchange.publish(message, example["routing_key"])


async def until_ended(
    queue: AbstractQueue, count: int, *, once_a_chunk_came: Callable[[], object] = lambda: None
) -> list[AbstractIncomingMessage]:
    """Every reply, up to the terminal one of the last of `count` requests."""
    replies: list[AbstractIncomingMessage] = []
    ended: set[str | None] = set()
    async with asyncio.timeout(PATIENCE_S), queue.iterator(no_ack=True) as arriving:
        async for message in arriving:
            replies.append(message)
            if message.type == "chunk.v1":
                once_a_chunk_came()
            if message.type in {"result.v1", "history.v1", "failure.v1"}:
                ended.add(message.correlation_id)
            if len(ended) == count:
                break
    return replies


def properties_of(message: AbstractIncomingMessage) -> dict[str, Any]:
    told = {
        "correlation_id": message.correlation_id,
        "type": message.type,
        "message_id": message.message_id,
        "content_type": message.content_type,
        "delivery_mode": message.delivery_mode,
    }
    return {name: value for name, value in told.items() if value is not None} | {"headers": message.headers}


def check(message: AbstractIncomingMessage, validators: Validators) -> dict[str, Any]:
    body = json.loads(message.body)
    validators["reply.properties.v1"].validate(properties_of(message))
    validators[str(message.type)].validate(body)
    validators["reply.v1"].validate(body)
    assert message.headers["fleet-id"] == body["id"]
    return body


async def test_every_example_of_a_request_is_answered_with_replies_that_fit(
    fleet_vhost: str, examples: Examples, validators: Validators
):
    asked = {
        f"{name}-{case}": example
        for name in ("chat.v1", "fim.v1", "conversation.v1")
        for case, example in examples[name].items()
    }
    async with a_house(fleet_vhost) as house, a_reply_queue(house.url) as (channel, queue):
        for name, example in asked.items():
            await publish(channel, example, correlation_id=name, reply_to=queue.name)
        messages = await until_ended(queue, len(asked))
    ends = {
        message.correlation_id: body["kind"]
        for message in messages
        if (body := check(message, validators))["kind"] in {"result", "history", "failure"}
    }
    assert ends == {name: "history" if name.startswith("conversation") else "result" for name in asked}
    kinds = {str(message.type) for message in messages}
    assert kinds == {"accepted.v1", "chunk.v1", "result.v1", "history.v1"}


async def test_restarts_failures_refusals_and_dead_letters_fit_as_well(
    fleet_vhost: str, examples: Examples, validators: Validators
):
    minimal = examples["chat.v1"]["minimal"]
    streamed = {**minimal, "body": {**minimal["body"], "stream": True}}
    wrong = {**minimal, "body": {**minimal["body"], "temperature": 7}}
    broken = {**streamed, "body": {**streamed["body"], "messages": [{"role": "user", "content": "break"}]}}
    refused = {**minimal, "body": {**minimal["body"], "model": "no-such-model"}}
    async with a_house(fleet_vhost) as house, a_reply_queue(house.url) as (channel, queue):
        seen = break_once_seen(house.simulator, match=Match(prompt="break"))
        for name, example in {"wrong": wrong, "broken": broken, "refused": refused}.items():
            await publish(channel, example, correlation_id=name, reply_to=queue.name)
        messages = await until_ended(queue, 3, once_a_chunk_came=seen)
        (letter,) = await until_buried(house.url)
    bodies = [check(message, validators) for message in messages]
    assert {"accepted", "chunk", "restarted", "result", "failure"} == {body["kind"] for body in bodies}
    codes = {body["code"] for body in bodies if body["kind"] == "failure"}
    assert codes == {"invalid_request", "upstream_rejected"}
    validators["dead_letter.properties.v1"].validate(properties_of(letter))
    assert json.loads(letter.body) == wrong["body"]
