"""The client for code that waits, on a real broker and as a fake."""

import asyncio
import threading
from asyncio import to_thread
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import BaseModel

from fleet_client import (
    BrokerUnreachable,
    Event,
    Finished,
    FleetClosed,
    InvalidRequest,
    NoReply,
    RateLimited,
    Restarted,
    Text,
    Waiting,
)
from fleet_client.sync import Fleet
from fleet_client.testing import Fails, Says, Silence, SyncFakeFleet
from harness.stages import OpenSync
from harness.waiting import until

pytestmark = pytest.mark.sockets


class Invoice(BaseModel):
    number: int


async def test_a_call_returns_the_answer(sync_stage: OpenSync) -> None:
    async with sync_stage("yes", '{"number": 42}', "x):") as play:
        answer = await to_thread(lambda: play.fleet.complete("Is it overdue?", id="invoice-42"))
        invoice = await to_thread(lambda: play.fleet.complete("Read it.", as_=Invoice))
        middle = await to_thread(play.fleet.fim, "def f(", suffix="x")
    assert (answer.text, answer.id) == ("yes", "invoice-42")
    assert invoice == Invoice(number=42)
    assert middle.text == "x):"


async def test_a_stream_is_a_plain_iterator(sync_stage: OpenSync) -> None:
    def read() -> list[Event]:
        return list(play.fleet.stream("hi"))

    async with sync_stage(Says(["Hel", "lo"], broken=["Hal"])) as play:
        events = await to_thread(read)
    restart = next(index for index, event in enumerate(events) if isinstance(event, Restarted))
    assert events[restart + 1 : -1] == [Text("Hel"), Text("lo")]
    assert isinstance(events[-1], Finished)


async def test_an_error_is_raised_where_the_call_is(sync_stage: OpenSync) -> None:
    async with sync_stage(Fails("rate_limited"), Fails("rate_limited")) as play:
        with pytest.raises(RateLimited):
            await to_thread(lambda: play.fleet.complete("hi"))
        with pytest.raises(RateLimited):
            await to_thread(lambda: list(play.fleet.stream("hi")))
        with pytest.raises(InvalidRequest):
            await to_thread(lambda: play.fleet.complete("hi", stream=True))


async def test_silence_ends_at_the_deadline(sync_stage: OpenSync) -> None:
    async with sync_stage(Silence(), grace_s=0) as play:
        with pytest.raises(NoReply):
            await to_thread(lambda: play.fleet.complete("hi", deadline=2, id="late"))
        await play.until_cancelled("late")


async def test_leaving_a_stream_early_cancels_the_request(sync_stage: OpenSync) -> None:
    def read_one_piece() -> None:
        for event in play.fleet.stream("count", id="enough"):
            if isinstance(event, Text):
                break

    async with sync_stage(Silence("one")) as play:
        await to_thread(read_one_piece)
        await play.until_cancelled("enough")


async def test_many_threads_share_one_client(sync_stage: OpenSync) -> None:
    def ask(number: int) -> int:
        return len(play.fleet.complete(f"{number}", id=f"c-{number}").text)

    async with sync_stage(*["."] * 100) as play:
        with ThreadPoolExecutor(16) as threads:
            loop = asyncio.get_running_loop()
            lengths = await asyncio.gather(
                *(loop.run_in_executor(threads, ask, number) for number in range(100))
            )
        serving = [thread for thread in threading.enumerate() if thread.name == "fleet-client"]
    assert lengths == [1] * 100
    assert len(serving) == 1


async def test_what_was_submitted_comes_to_a_plain_loop(sync_stage: OpenSync) -> None:
    seen: list[str] = []

    def follow() -> None:
        for outcome in play.fleet.results("invoices"):
            seen.append(outcome.id)
            if outcome.id == "last":
                break

    async with sync_stage("ok", "ok") as play:
        following = asyncio.create_task(to_thread(follow))
        await play.until_followed()
        for word in ("first", "last"):
            assert await to_thread(play.fleet.submit, "hi", id=word) == word
        await asyncio.wait_for(following, 60)
    assert seen == ["first", "last"]


async def test_the_wait_is_told_on_the_clients_own_thread(sync_stage: OpenSync) -> None:
    told: list[tuple[Waiting, str]] = []

    def note(event: Waiting) -> None:
        told.append((event, threading.current_thread().name))

    async with sync_stage(Says("ok", waits=[3])) as play:
        await to_thread(lambda: play.fleet.complete("hi", waiting=note))
    assert told == [(Waiting(3, None), "fleet-client")]


async def test_a_callback_that_calls_the_same_fleet_is_told_instead_of_waiting_for_itself(
    sync_stage: OpenSync,
) -> None:
    async with sync_stage(Says("ok", waits=[3])) as play:
        with pytest.raises(RuntimeError, match="wait for itself"):
            await to_thread(lambda: play.fleet.complete("hi", waiting=lambda _: play.fleet.complete("again")))


async def test_closing_ends_the_calls_of_other_threads_and_the_next_call_connects_anew(
    sync_stage: OpenSync,
) -> None:
    async with sync_stage(Silence(), "back") as play:
        call = asyncio.create_task(to_thread(lambda: play.fleet.complete("hi", id="left")))
        await play.until_asked()
        await to_thread(play.fleet.close)
        with pytest.raises(FleetClosed):
            await call
        assert (await to_thread(lambda: play.fleet.complete("hi"))).text == "back"
        await to_thread(play.fleet.close)
        await until(lambda: all(thread.name != "fleet-client" for thread in threading.enumerate()))


def test_closing_at_any_moment_leaves_no_thread_waiting() -> None:
    fleet = SyncFakeFleet(otherwise="ok")
    ended: list[str] = []

    def ask() -> None:
        for _ in range(50):
            try:
                ended.append(fleet.complete("hi").text)
            except FleetClosed:
                ended.append("closed")

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and len(ended) < 300:
        fleet.close()
    for thread in threads:
        thread.join(20)
    fleet.close()
    assert len(ended) == 400
    assert {"ok", "closed"} >= set(ended)


def test_a_broker_that_is_not_there_is_told_and_leaves_no_thread() -> None:
    fleet = Fleet("amqp://127.0.0.1:1/", connect_timeout_s=0.3)
    for _ in range(2):
        with pytest.raises(BrokerUnreachable):
            fleet.complete("hi")
    with pytest.raises(BrokerUnreachable), fleet:
        pass
    assert all(thread.name != "fleet-client" for thread in threading.enumerate())


def test_a_mistake_is_told_when_the_client_is_built() -> None:
    with pytest.raises(ValueError, match="amqp://"):
        Fleet("localhost")
