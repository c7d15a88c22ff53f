"""A worker ends, whatever its broker does at that moment."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from fleet_chassis import broker as chassis
from fleet_simulator.config import SimulatorConfig
from fleet_simulator.server import serve
from fleet_worker.bootstrap import start_worker
from harness.broker import SharedBroker
from harness.house import a_house, worker_settings

pytestmark = [pytest.mark.sockets, pytest.mark.usefixtures("plain_publish")]

CALM = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Good bye"}]}


async def test_a_worker_ends_though_the_channels_of_its_broker_answer_nothing(
    fleet_vhost: str, broker: SharedBroker, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(chassis, "CLOSE_TIMEOUT_S", 0.3)
    async with AsyncExitStack() as meanwhile:
        simulator = await meanwhile.enter_async_context(serve(SimulatorConfig().at_once()))
        async with start_worker(worker_settings(fleet_vhost, simulator.base_url)):
            await meanwhile.enter_async_context(broker.deaf_channels(fleet_vhost))
            await meanwhile.enter_async_context(asyncio.timeout(60))


async def test_a_worker_ends_without_an_error_while_its_broker_stops(fleet_vhost: str, broker: SharedBroker):
    try:
        async with a_house(fleet_vhost) as house:
            await house.caller.ask(CALM)
            await house.caller.until_end()
            stopping = asyncio.create_task(broker.stop_app())
            await asyncio.sleep(0)
        await stopping
    finally:
        await broker.start_app()
