"""Both ways of publishing, over a broker of this process that confirms when it is told to."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any, cast

import aio_pika
import pamqp.frame
import pytest
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq.abc import DeliveredMessage
from pamqp import body, commands, header

from fleet_chassis.clock import SystemClock
from fleet_worker.replies.answers import Confirmed, Returned
from fleet_worker.replies.delivering import Deliverer
from fleet_worker.replies.outgoing import Publishes
from fleet_worker.replies.pipeline import Pipeline
from fleet_worker.replies.publisher import PlainPublisher, Publishers
from fleet_worker.retrying import Retrying, RetryPolicy

TAKEN, REFUSED, GONE = "taken", "refused", "gone"


Message = tuple[commands.Basic.Publish, header.ContentHeader, bytes]


class FakeBroker:
    """Takes messages, and says what becomes of them."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.verdict = TAKEN
        self._open = asyncio.Event()
        self._open.set()

    def hold(self) -> None:
        """Say nothing until `release`."""
        self._open.clear()

    def release(self) -> None:
        self._open.set()

    async def answer(self, message: bytes) -> str:
        self.arrived.set()
        await self._open.wait()
        if self.verdict == TAKEN:
            self.bodies.append(json.loads(message))
        return self.verdict


class FakeLine:
    """A channel at the far end of a pipeline."""

    channel = 7
    frame_max = 4096

    def __init__(self, broker: FakeBroker) -> None:
        self.broker = broker
        self.pipeline = Pipeline(lambda: "0123456789abcdef")
        self.published: list[Message] = []
        self.writes: list[bytes] = []
        self._answers: set[asyncio.Task[None]] = set()

    def write(self, frames: bytes) -> None:
        self.writes.append(frames)
        for message in messages_of(frames, self.channel):
            self.published.append(message)
            answer = asyncio.create_task(self._answer(len(self.published), *message[1:]))
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)

    def give_up(self) -> None:
        self.pipeline.lost(self)

    async def _answer(self, tag: int, head: header.ContentHeader, content: bytes) -> None:
        verdict = await self.broker.answer(content)
        if verdict == GONE:
            self.pipeline.hear([Returned(str(head.properties.message_id))])
        self.pipeline.hear([Confirmed(tag, multiple=False, taken=verdict != REFUSED)])


def messages_of(frames: bytes, channel: int) -> list[Message]:
    """The messages in `frames`, as the reference library reads them."""
    messages: list[Message] = []
    while frames:
        used, number, frame = pamqp.frame.unmarshal(frames)
        assert number == channel
        frames = frames[used:]
        if isinstance(frame, commands.Basic.Publish):
            messages.append((frame, header.ContentHeader(), b""))
            continue
        publish, head, content = messages.pop()
        if isinstance(frame, header.ContentHeader):
            head = frame
        else:
            assert isinstance(frame, body.ContentBody)
            content += frame.value
        messages.append((publish, head, content))
    for _, head, content in messages:
        assert head.body_size == len(content)
    return messages


class _FakeExchange:
    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker

    async def publish(self, message: aio_pika.Message, key: str, *, mandatory: bool) -> None:
        del key, mandatory
        verdict = await self._broker.answer(message.body)
        if verdict == REFUSED:
            raise DeliveryError(None, commands.Basic.Nack())
        if verdict == GONE:
            back = commands.Basic.Return()
            returned = DeliveredMessage(back, header.ContentHeader(), message.body, cast("Any", None))
            raise PublishError(returned, back)


class _FakeChannel:
    def __init__(self, broker: FakeBroker) -> None:
        self.default_exchange = _FakeExchange(broker)

    async def get_exchange(self, name: str, *, ensure: bool) -> _FakeExchange:
        del name, ensure
        return self.default_exchange


def over_the_wire(broker: FakeBroker) -> Publishes:
    line = FakeLine(broker)
    line.pipeline.open(line)
    return cast("Any", line.pipeline)


def over_the_public_api(broker: FakeBroker) -> Publishes:
    return PlainPublisher(cast("Any", None), cast("Any", _FakeChannel(broker)))


both_ways = pytest.mark.parametrize("way", [over_the_wire, over_the_public_api])
"""Marks a test that is to run on both ways of publishing."""

Way = Callable[[FakeBroker], Publishes]


def a_deliverer(publishes: Publishes) -> Deliverer:
    retrying = Retrying(RetryPolicy(0.01, 0.1), SystemClock(), random.Random(0))
    return Deliverer(Publishers(publishes, publishes), retrying)
