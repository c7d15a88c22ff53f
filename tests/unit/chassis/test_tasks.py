"""Background work ends with its owner."""

import asyncio
import logging

import pytest

from fleet_chassis import tasks
from fleet_chassis.logging import get_log


async def test_work_that_takes_a_cancel_for_trouble_is_cancelled_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)
    cancels = 0

    async def work() -> None:
        nonlocal cancels
        while True:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                cancels += 1
                if cancels > 2:
                    raise

    async with asyncio.timeout(20):
        async with tasks.owned(work(), get_log("test")):
            await asyncio.sleep(0)
    assert cancels == 3


async def test_what_stopped_work_ends_with_is_nobodys_trouble(caplog: pytest.LogCaptureFixture):
    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            raise OSError

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await tasks.stop(task)
    assert isinstance(task.exception(), OSError)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
