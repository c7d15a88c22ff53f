"""A batch over a real broker: its reply queue, and what a break costs."""

import asyncio
from contextlib import aclosing
from urllib.parse import unquote, urlsplit

import aio_pika
import pytest

from fleet_client import Fleet
from harness.broker import SharedBroker
from harness.house import a_house
from harness.queues import told_of, until_waiting
from harness.stages import broker_stage

pytestmark = pytest.mark.sockets

QUEUE = "deepseek.reply.default.batch.mine"
PATIENCE_S = 60
WORDS = ["a?", "b?", "c?"]


async def test_replies_wait_for_a_program_that_is_gone_and_its_queue_goes_with_the_last_line(
    fleet_vhost: str,
) -> None:
    async with broker_stage(fleet_vhost)("one", "two", "three") as play:
        async with (
            aclosing(play.fleet.batch(["a?", "b?", "c?"], "mine")) as outcomes,
            asyncio.timeout(PATIENCE_S),
        ):
            await anext(outcomes)
        # The first was not finished either.
        await until_waiting(fleet_vhost, QUEUE, 3)
        async with asyncio.timeout(PATIENCE_S):
            found = {each.unwrap().text async for each in play.fleet.batch(WORDS, "mine")}
    assert found == {"one", "two", "three"}
    assert await told_of(fleet_vhost, QUEUE) is None


async def test_a_break_of_every_connection_ends_no_batch(fleet_vhost: str, broker: SharedBroker) -> None:
    vhost = unquote(urlsplit(fleet_vhost).path[1:])
    words = [f"{number}?" for number in range(40)]
    seen: list[str] = []
    async with a_house(fleet_vhost) as house, Fleet(house.url) as fleet, asyncio.timeout(PATIENCE_S):
        async with aclosing(fleet.batch(words, "mine", window=5, thinking=False)) as outcomes:
            async for outcome in outcomes:
                seen.append(outcome.key)
                if len(seen) == 5:
                    await broker.ctl("close_all_connections", "--vhost", vhost, "cut by a test")
        calls = house.simulator.simulator.log.events(kind="admitted")
    assert sorted(seen, key=int) == [str(number) for number in range(1, 41)]
    assert len(calls) == len(words)


async def test_what_was_asked_through_a_deleted_queue_is_asked_again(fleet_vhost: str) -> None:
    async with broker_stage(fleet_vhost)() as silent:
        running = asyncio.ensure_future(anext(silent.fleet.batch(["a?"], "mine")))
        await silent.until_asked(1)
        async with await aio_pika.connect(fleet_vhost) as connection:
            await (await connection.channel()).queue_delete(QUEUE)
        again = (await silent.until_asked(2))[1]
        assert again.id == silent.asked()[0].id
        running.cancel()
        await asyncio.wait([running])
