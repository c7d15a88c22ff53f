import asyncio

import pytest

from fleet_worker.completion import Delta
from fleet_worker.ports import Sent
from fleet_worker.replies.stream import MAX_WAITING_CHARACTERS, RabbitReplyStream
from fleet_worker.terminal import Terminal
from harness.publishing import GONE, REFUSED, TAKEN, FakeBroker, Way, a_deliverer, both_ways
from harness.requests import a_request

pytestmark = both_ways


def a_stream(broker: FakeBroker, way: Way, *, stream: bool = True) -> RabbitReplyStream:
    runs = iter(["r1", "r2", "r3"])
    request = a_request(stream=stream)
    return RabbitReplyStream(request, a_deliverer(way(broker)), "w", lambda: next(runs))


def text(content: str) -> Delta:
    return Delta({"content": content})


async def test_chunks_are_numbered_from_nought_and_joined_while_a_confirm_is_on_its_way(way: Way):
    broker = FakeBroker()
    stream = a_stream(broker, way)
    broker.hold()
    stream.accept(1)
    await broker.arrived.wait()
    for letter in "abcd":
        stream.send(text(letter))
    broker.release()
    assert await stream.settle() == Sent(0, degraded=False)
    assert [body.get("delta") for body in broker.bodies] == [None, {"content": "abcd"}]
    stream.send(text("e"))
    assert await stream.settle() == Sent(1, degraded=False)
    assert broker.bodies[-1]["id"] == "c-1:r1:1:1"
    await stream.close()


async def test_a_new_attempt_counts_from_nought_again_under_another_run(way: Way):
    broker = FakeBroker()
    stream = a_stream(broker, way)
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


async def test_a_reader_whose_queue_is_gone_gets_no_more_chunks_and_the_result_says_so(way: Way):
    broker = FakeBroker()
    stream = a_stream(broker, way)
    stream.accept(1)
    await stream.settle()
    broker.verdict = GONE
    stream.send(text("a"))
    assert (await stream.settle()).degraded
    broker.verdict = TAKEN
    stream.send(text("b"))
    assert (await stream.settle()).degraded
    assert [body["kind"] for body in broker.bodies] == ["accepted"]
    await stream.close()


async def test_a_full_queue_degrades_the_stream_and_not_the_upstream_read(way: Way):
    broker = FakeBroker()
    stream = a_stream(broker, way)
    stream.accept(1)
    broker.verdict = REFUSED
    stream.send(text("a"))
    assert (await stream.settle()).degraded
    await stream.close()


async def test_a_reader_that_does_not_read_bounds_what_waits_for_it(way: Way):
    broker = FakeBroker()
    broker.hold()
    stream = a_stream(broker, way)
    stream.accept(1)
    for _ in range(3):
        stream.send(text("x" * (MAX_WAITING_CHARACTERS // 2)))
    assert (await stream.settle()).degraded
    await stream.close()


async def test_an_unstreamed_request_hears_nothing_before_its_result(way: Way):
    broker = FakeBroker()
    stream = a_stream(broker, way, stream=False)
    stream.accept(1)
    stream.restart(2, "worker_lost")
    assert await stream.settle() == Sent(-1, degraded=False)
    assert broker.bodies == []
    await stream.close()


async def test_the_terminal_reply_stays_behind_the_chunks_even_of_a_reader_that_is_slow(
    way: Way, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("fleet_worker.replies.stream.SETTLE_TIMEOUT_S", 0.05)
    broker = FakeBroker()
    broker.hold()
    stream = a_stream(broker, way)
    stream.accept(1)
    await broker.arrived.wait()
    stream.send(text("never sent"))
    sent = await stream.settle()
    assert sent.degraded
    finishing = asyncio.create_task(stream.finish(Terminal("result", "c-1:final", 1, b'{"kind": "result"}')))
    broker.release()
    await finishing
    await stream.close()
    kinds = [body["kind"] for body in broker.bodies]
    assert [kind for kind in kinds if kind != "accepted"][:1] == ["result"]
    assert "accepted" not in kinds[1:]
    assert "chunk" not in kinds


async def test_a_stream_that_was_closed_sends_nothing_more(way: Way):
    broker = FakeBroker()
    broker.hold()
    stream = a_stream(broker, way)
    stream.accept(1)
    await broker.arrived.wait()
    stream.send(text("a"))
    await stream.close()
    stream.send(text("b"))
    broker.release()
    assert (await stream.settle()).degraded
    await asyncio.sleep(0)
    assert [body["kind"] for body in broker.bodies] in (["accepted"], [])
