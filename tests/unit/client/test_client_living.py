"""The thread of a synchronous client, and its end."""

import asyncio
import threading

import pytest

from fleet_client import FleetClosed
from fleet_client.face import Face
from fleet_client.sync.living import Living
from fleet_client.testing import FakeFleet


async def sleep_for_ever(_: Face) -> None:
    await asyncio.Event().wait()


def test_whatever_still_runs_at_the_end_is_ended_and_whoever_waits_is_told() -> None:
    living = Living(FakeFleet)
    told: list[type[BaseException]] = []
    begun = threading.Event()

    async def begin(client: Face) -> None:
        begun.set()
        await sleep_for_ever(client)

    def wait() -> None:
        with pytest.raises(FleetClosed) as error:
            living.run(begin)
        told.append(error.type)

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    assert begun.wait(10)
    living.close()
    waiting.join(10)
    assert told == [FleetClosed]


def test_a_closed_client_takes_no_more_work() -> None:
    living = Living(FakeFleet)
    living.close()
    living.close()
    with pytest.raises(FleetClosed):
        living.run(sleep_for_ever)
