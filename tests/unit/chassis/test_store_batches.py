import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from fleet_chassis.store.batching import Batches, Command
from fleet_chassis.store.errors import StoreUnavailableError


class Server:
    """Answers each command with its own last word; holds each batch until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.free = asyncio.Event()

    async def send(self, commands: Sequence[Command]) -> Sequence[Any]:
        self.batches.append([command[-1] for command in commands])
        await self.free.wait()
        return [command[-1] for command in commands]


async def test_what_is_asked_while_a_batch_is_away_leaves_as_the_next_one():
    server = Server()
    batches = Batches(server.send)
    first = asyncio.create_task(batches.ask(("GET", 1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(batches.ask(("GET", n))) for n in (2, 3)]
    await asyncio.sleep(0)
    server.free.set()
    assert await asyncio.gather(first, *others) == [1, 2, 3]
    assert server.batches == [[1], [2, 3]]


async def test_one_failed_command_fails_its_caller_alone():
    async def send(commands: Sequence[Command]) -> Sequence[Any]:
        return [ValueError("no") if command[-1] == "bad" else "fine" for command in commands]

    batches = Batches(send)
    good, bad = await asyncio.gather(
        batches.ask(("GET", "x")), batches.ask(("GET", "bad")), return_exceptions=True
    )
    assert good == "fine"
    assert isinstance(bad, ValueError)


async def test_a_lost_connection_fails_everyone_in_the_batch_and_the_next_batch_is_sent():
    tries = iter([ConnectionResetError("gone"), None])

    async def send(commands: Sequence[Command]) -> Sequence[Any]:
        if error := next(tries):
            raise error
        return ["back" for _ in commands]

    batches = Batches(send)
    lost = await asyncio.gather(*(batches.ask(("GET", n)) for n in range(3)), return_exceptions=True)
    assert all(isinstance(error, ConnectionResetError) for error in lost)
    assert await batches.ask(("GET", 1)) == "back"


async def test_a_caller_who_gave_up_before_the_batch_left_is_not_asked_for():
    server = Server()
    batches = Batches(server.send)
    first = asyncio.create_task(batches.ask(("GET", 1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    impatient = asyncio.create_task(batches.ask(("CLAIM", 2)))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    server.free.set()
    await first
    await batches.ask(("GET", 3))
    assert [2] not in server.batches


async def test_closing_tells_those_who_wait_that_the_store_is_gone():
    server = Server()
    batches = Batches(server.send)
    waiting = asyncio.create_task(batches.ask(("GET", 1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await batches.aclose()
    with pytest.raises(StoreUnavailableError):
        await waiting


async def test_who_asks_after_the_end_is_told_and_nothing_is_sent():
    server = Server()
    batches = Batches(server.send)
    await batches.aclose()
    with pytest.raises(StoreUnavailableError, match="closed"):
        await batches.ask(("GET", 1))
    assert server.batches == []
