import asyncio
import json
from typing import Any

from fleet_worker.completion import Delta
from fleet_worker.composing import Composed
from fleet_worker.ports import Sent
from fleet_worker.replies.outgoing import NotConfirmedError, UnroutableError
from fleet_worker.replies.stream import MAX_WAITING_CHARACTERS, RabbitReplyStream
from fleet_worker.request import Request
from harness.requests import a_request


class Broker:
    """Confirms each publish when told, or refuses it."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.arrived = asyncio.Event()
        self.confirm = asyncio.Event()
        self.confirm.set()
        self.refusal: Exception | None = None

    async def deliver(self, request: Request, reply: Composed) -> None:
        del request
        self.arrived.set()
        await self.confirm.wait()
        if self.refusal is not None:
            raise self.refusal
        self.bodies.append(json.loads(reply.body))

    async def deliver_terminal(self, request: Request, reply: Composed) -> None:
        await self.deliver(request, reply)


def a_stream(broker: Broker, *, stream: bool = True) -> RabbitReplyStream:
    runs = iter(["r1", "r2", "r3"])
    return RabbitReplyStream(a_request(stream=stream), broker, "w", lambda: next(runs))


def text(content: str) -> Delta:
    return Delta({"content": content})


async def test_chunks_are_numbered_from_nought_and_joined_while_a_confirm_is_on_its_way():
    broker = Broker()
    stream = a_stream(broker)
    stream.accept(1)
    broker.confirm.clear()
    await broker.arrived.wait()
    for letter in "abcd":
        stream.send(text(letter))
    broker.confirm.set()
    assert await stream.settle() == Sent(0, degraded=False)
    assert [body.get("delta") for body in broker.bodies] == [None, {"content": "abcd"}]
    stream.send(text("e"))
    assert await stream.settle() == Sent(1, degraded=False)
    assert broker.bodies[-1]["id"] == "c-1:r1:1:1"
    await stream.close()


async def test_a_new_attempt_counts_from_nought_again_under_another_run():
    broker = Broker()
    stream = a_stream(broker)
    stream.accept(1)
    stream.send(text("old"))
    await stream.settle()
    stream.restart(2, "upstream_interrupted")
    stream.send(text("new"))
    assert await stream.settle() == Sent(0, degraded=False)
    assert [body["id"] for body in broker.bodies] == [
        "c-1:accepted",
        "c-1:r1:1:0",
        "c-1:r2:2:restarted",
        "c-1:r2:2:0",
    ]
    await stream.close()


async def test_a_reader_whose_queue_is_gone_gets_no_more_chunks_and_the_result_says_so():
    broker = Broker()
    stream = a_stream(broker)
    stream.accept(1)
    await stream.settle()
    broker.refusal = UnroutableError()
    stream.send(text("a"))
    assert (await stream.settle()).degraded
    broker.refusal = None
    stream.send(text("b"))
    assert (await stream.settle()).degraded
    assert [body["kind"] for body in broker.bodies] == ["accepted"]
    await stream.close()


async def test_a_full_queue_degrades_the_stream_and_not_the_upstream_read():
    broker = Broker()
    stream = a_stream(broker)
    stream.accept(1)
    broker.refusal = NotConfirmedError()
    stream.send(text("a"))
    assert (await stream.settle()).degraded
    await stream.close()


async def test_a_reader_that_does_not_read_bounds_what_waits_for_it():
    broker = Broker()
    broker.confirm.clear()
    stream = a_stream(broker)
    stream.accept(1)
    for _ in range(3):
        stream.send(text("x" * (MAX_WAITING_CHARACTERS // 2)))
    assert (await stream.settle()).degraded
    await stream.close()


async def test_an_unstreamed_request_hears_nothing_before_its_result():
    broker = Broker()
    stream = a_stream(broker, stream=False)
    stream.accept(1)
    stream.restart(2, "worker_lost")
    assert await stream.settle() == Sent(-1, degraded=False)
    assert broker.bodies == []
    await stream.close()
