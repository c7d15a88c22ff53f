"""Dead letters on a real broker, and commands that are killed while they hold some."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest

from fleet_cli.connecting import BrokerError
from fleet_cli.dlq.choosing import Choice
from fleet_cli.dlq.operating import redrive_letters
from fleet_contracts.topology import DEAD, DEAD_KEY_RECORD, REQUESTS, REQUESTS_BATCH, REQUESTS_DEAD
from harness.caller import a_follower
from harness.clock import HandClock
from harness.house import a_house
from harness.queues import until_waiting

pytestmark = pytest.mark.sockets

PATIENCE_S = 60.0
BODY = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "CANARY-12"}]}


class Desk:
    """An operator at a terminal whose AMQP_URL is set."""

    def __init__(self, folder: Path, url: str, environ: Mapping[str, str]) -> None:
        self.url = url
        self._folder = folder
        self._environ = {**environ, "AMQP_URL": url}

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fleet_cli", "dlq", *arguments),
            cwd=self._folder,
            env=self._environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, answer: bytes = b"") -> tuple[int | None, str, str]:
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(answer), PATIENCE_S)
        return process.returncode, out.decode(), err.decode()

    async def listed(self, *arguments: str) -> list[dict[str, Any]]:
        status, out, err = await self.run("list", "--json", *arguments)
        assert (status, err) == (0, "")
        return json.loads(out)

    async def until_there(self, letters: int) -> None:
        """So many can be taken: what a worker buries or a command has held to its end comes soon after."""
        await until_waiting(self.url, REQUESTS_DEAD, letters)


@pytest.fixture
def desk(tmp_path: Path, fleet_vhost: str, private_environ: Mapping[str, str]) -> Desk:
    return Desk(tmp_path, fleet_vhost, private_environ)


async def died(url: str, count: int = 1, changes: dict[str, Any] | None = None) -> None:
    """Finished dead letters, as a worker leaves them."""
    async with await aio_pika.connect(url) as connection:
        exchange = await (await connection.channel()).get_exchange(DEAD)
        for number in range(count):
            headers = {
                "fleet-dead-code": "crash_loop",
                "fleet-dead-message": "It died.",
                "fleet-dead-at-ms": 1_795_435_200_000 + number,
                "fleet-dead-queue": REQUESTS,
                "fleet-dead-routing-key": "interactive.acme",
                "fleet-tenant": "acme",
                **(changes or {}),
            }
            message = aio_pika.Message(
                json.dumps(BODY).encode(),
                message_id=f"{number:04}-letter",
                correlation_id=f"c-{number}",
                type="chat.v1",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                headers=headers,
            )
            await exchange.publish(message, DEAD_KEY_RECORD)


async def left_in(url: str, queue: str, at_least: int) -> list[str]:
    """The correlation IDs in a queue, taken out of it, once there are so many."""
    found: list[str] = []
    async with asyncio.timeout(PATIENCE_S), await aio_pika.connect(url) as connection:
        source = await (await connection.channel()).get_queue(queue)
        while True:
            message = await source.get(no_ack=True, fail=False)
            if message is not None:
                found.append(message.correlation_id or "")
            elif len(found) >= at_least:
                return found
            else:
                await asyncio.sleep(0.1)


async def test_what_a_worker_buried_is_listed_and_stays(desk: Desk):
    async with a_house(desk.url) as house:
        asked = await house.caller.ask(b"CANARY-12")
        await house.caller.next()
        await desk.until_there(1)
        (letter,) = await desk.listed()
        await desk.until_there(1)
        assert [each["id"] for each in await desk.listed()] == [letter["id"]]
        await desk.until_there(1)
        status, out, _ = await desk.run("list")
    assert (letter["correlation_id"], letter["code"], letter["tenant"]) == (asked, "invalid_request", "acme")
    assert status == 0
    assert asked in out
    assert "CANARY-12" not in out


async def test_filters_choose_what_is_listed(desk: Desk):
    await died(desk.url, 2)
    await died(desk.url, 1, {"fleet-dead-code": "internal", "fleet-tenant": "other"})
    assert len(await desk.listed("--code", "crash_loop")) == 2
    await desk.until_there(3)
    assert [letter["code"] for letter in await desk.listed("--tenant", "other")] == ["internal"]
    await desk.until_there(3)
    status, out, err = await desk.run("list", "--limit", "1")
    assert (status, len(out.splitlines())) == (0, 2)
    assert "more than 1 dead letters" in err


async def test_a_text_is_shown_only_where_it_is_asked_for(desk: Desk):
    await died(desk.url)
    status, record, _ = await desk.run("show", "c-0")
    assert (status, "CANARY-12" in record, "crash_loop" in record) == (0, False, True)
    await desk.until_there(1)
    status, whole, _ = await desk.run("show", "0000-letter", "--body")
    assert (status, "CANARY-12" in whole) == (0, True)
    await desk.until_there(1)
    status, _, err = await desk.run("show", "nobody")
    assert (status, "names no dead letter" in err) == (2, True)
    await desk.until_there(1)
    assert len(await desk.listed()) == 1


async def test_a_redriven_dead_letter_is_answered_under_the_next_retry(desk: Desk):
    async with a_house(desk.url) as house:
        await house.caller.ask(b"CANARY-12", correlation_id="c-9")
        refused = await house.caller.next()
        await desk.until_there(1)
        (letter,) = await desk.listed()
        await desk.until_there(1)
        assert letter["reply_to"] == house.caller.reply_to
        status, out, _ = await desk.run("redrive", letter["id"])
        again = await house.caller.next()
    assert (status, out.splitlines()[-1]) == (0, "1 asked again")
    assert (refused["id"].startswith("c-9:refused:"), again["id"].startswith("c-9~1:refused:")) == (
        True,
        True,
    )


async def test_a_redriven_request_of_the_batch_lane_goes_back_to_it(desk: Desk):
    await died(desk.url, 1, {"fleet-dead-queue": REQUESTS_BATCH, "fleet-dead-routing-key": "batch.acme"})
    status, _, _ = await desk.run("redrive", "--all")
    assert status == 0
    assert await left_in(desk.url, REQUESTS_BATCH, 1) == ["c-0"]
    assert await desk.listed() == []


async def test_a_strict_fleet_answers_the_redrive_of_a_trusted_operator_for_its_tenant(desk: Desk):
    await died(desk.url)
    async with (
        a_house(desk.url, strict_tenants=True, trusted_users=urlsplit(desk.url).username),
        a_follower(desk.url, "result.acme.#") as follower,
    ):
        status, _, _ = await desk.run("redrive", "c-0", "--strict")
        again = await follower.next(PATIENCE_S)
    assert (status, again["kind"], again["id"]) == (0, "result", "c-0~1:final")


async def test_a_redrive_that_is_killed_in_the_middle_loses_nothing(desk: Desk):
    letters = 200
    # Each is told in a long line, and few such lines are read: it can't get to the end before it is killed.
    await died(desk.url, letters, {"fleet-dead-code": "crash_loop" * 500})
    process = await desk.start("redrive", "--all")
    assert process.stdout is not None
    for _ in range(5):
        await asyncio.wait_for(process.stdout.readline(), PATIENCE_S)
    process.kill()
    await process.communicate()
    # What it had asked for in its last moment may come into the queue after the first look.
    waiting, dead = list[str](), list[str]()
    async with asyncio.timeout(PATIENCE_S):
        while len({*waiting, *dead}) < letters:
            waiting += await left_in(desk.url, REQUESTS, 0)
            dead += await left_in(desk.url, REQUESTS_DEAD, 0)
    assert {*waiting, *dead} == {f"c-{number}" for number in range(letters)}
    assert len(waiting) >= 5
    assert dead
    assert len(waiting) + len(dead) <= letters + 1


async def test_a_redrive_that_finds_the_request_queue_gone_leaves_the_dead_letter(desk: Desk):
    await died(desk.url)
    async with await aio_pika.connect(desk.url) as connection:
        await (await connection.channel()).queue_delete(REQUESTS)
    with pytest.raises(BrokerError, match="no queue takes requests"):
        await redrive_letters(desk.url, Choice(), HandClock(), strict=False)
    assert await left_in(desk.url, REQUESTS_DEAD, 1) == ["c-0"]


async def test_an_id_that_names_nothing_is_told_and_what_the_others_name_is_asked_again(desk: Desk):
    await died(desk.url, 2)
    status, out, err = await desk.run("redrive", "c-0", "c-99")
    assert (status, out.splitlines()[-1]) == (2, "1 asked again")
    assert "c-99 names no dead letter: see `fleet dlq list`" in err
    await desk.until_there(1)
    status, _, err = await desk.run("drop", "c-1", "c-99", "--yes")
    assert (status, "c-99 names no dead letter" in err) == (2, True)
    assert await left_in(desk.url, REQUESTS_DEAD, 1) == ["c-1"]


async def test_a_drop_asks_first(desk: Desk):
    await died(desk.url, 2)
    status, out, _ = await desk.run("drop", "--all", answer=b"n\n")
    assert (status, "nothing dropped" in out) == (0, True)
    await desk.until_there(2)
    status, _, err = await desk.run("drop", "--all")
    assert (status, "say --yes" in err) == (2, True)
    assert len(await left_in(desk.url, REQUESTS_DEAD, 2)) == 2


async def test_a_drop_takes_what_was_agreed_to_and_no_other(desk: Desk):
    await died(desk.url, 3)
    status, out, _ = await desk.run("drop", "0001-letter", answer=b"y\n")
    assert (status, out.splitlines()[-1].endswith("1 dropped")) == (0, True)
    await desk.until_there(2)
    status, out, _ = await desk.run("drop", "c-2", "--yes")
    assert (status, out) == (0, "1 dropped\n")
    assert await left_in(desk.url, REQUESTS_DEAD, 1) == ["c-0"]
