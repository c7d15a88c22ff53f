"""A simulated DeepSeek, and the worker's client of it."""

from collections.abc import AsyncIterator

import pytest

from fleet_simulator import Running, SimulatorConfig, Timing, serve
from fleet_worker.deepseek import DeepSeek
from harness.deepseek_calls import client_of

_EAGER = Timing(headers=0, first_token=0, keep_alive=0.01, tokens_per_second=0)


@pytest.fixture
async def simulator() -> AsyncIterator[Running]:
    """A simulator without delays, whose keep-alives come every 10 ms."""
    async with serve(SimulatorConfig(timing=_EAGER)) as running:
        yield running


@pytest.fixture
async def deepseek(simulator: Running) -> AsyncIterator[DeepSeek]:
    """A client of the simulator."""
    client = client_of(simulator)
    yield client
    await client.aclose()


@pytest.fixture(params=[False, True], ids=["wire", "public_api"])
def plain_publish(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Runs a test with both ways of publishing."""
    monkeypatch.setattr("harness.house.PLAIN_PUBLISH", request.param)
    return bool(request.param)
