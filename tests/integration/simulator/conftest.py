"""A running simulator and a client of it."""

from collections.abc import AsyncIterator

import httpx
import pytest

from fleet_simulator import DEFAULT_KEY, Running, SimulatorConfig, serve


@pytest.fixture
async def simulator() -> AsyncIterator[Running]:
    """A simulator without delays."""
    async with serve(SimulatorConfig().at_once()) as running:
        yield running


@pytest.fixture
async def http(simulator: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a good key."""
    headers = {"Authorization": f"Bearer {DEFAULT_KEY}"}
    async with httpx.AsyncClient(base_url=simulator.base_url, headers=headers, timeout=10) as client:
        yield client
