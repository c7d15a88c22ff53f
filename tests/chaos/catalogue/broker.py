"""Faults of one broker: restarted, killed, short of memory or disk."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chaos.catalogue.entry import entry
from chaos.catalogue.stage import Stage


@entry(8, "stop_app and start_app of the only node", "calls go on meanwhile: each is paid once")
async def broker_app_stopped(stage: Stage) -> None:
    async with stage.load():
        await asyncio.sleep(4)
        await stage.scene.broker.stop_app()
        await asyncio.sleep(3)
        await stage.scene.broker.start_app()
        stage.mended()
    await stage.paid_once()


@entry(9, "kill -9 of the broker, and a start", "what was confirmed is answered; calls are paid once")
async def broker_killed(stage: Stage) -> None:
    async with stage.load():
        await asyncio.sleep(4)
        await stage.scene.broker.kill()
        await asyncio.sleep(2)
        await stage.scene.broker.restart()
        stage.mended()
    await stage.paid_once()


@entry(
    18,
    "a memory alarm of 15 s while answers stream",
    "calls go on, publishes resume, each request has one end and is paid once",
)
async def memory_alarm(stage: Stage) -> None:
    broker = stage.scene.broker
    async with stage.load(), _alarm(stage, "memory"):
        await broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            await asyncio.sleep(15)
        finally:
            await broker.ctl("set_vm_memory_high_watermark", "0.4")
        stage.mended()
    await stage.paid_once()


@entry(19, "a disk alarm of 15 s", "as in a memory alarm")
async def disk_alarm(stage: Stage) -> None:
    broker = stage.scene.broker
    async with stage.load(), _alarm(stage, "disk"):
        await broker.ctl("set_disk_free_limit", str(10**14))
        try:
            await asyncio.sleep(15)
        finally:
            await broker.ctl("set_disk_free_limit", "50MB")
        stage.mended()
    await stage.paid_once()


@asynccontextmanager
async def _alarm(stage: Stage, what: str) -> AsyncGenerator[None]:
    await asyncio.sleep(4)
    before = stage.caller.in_vain
    yield
    stage.note("publishes in vain", stage.caller.in_vain - before)
    stage.must(stage.caller.in_vain > before, f"the {what} alarm held publishes back: else nothing was tried")
