"""`fleet worker` that can't begin says why, and tells by its status whether its settings are to blame."""

import pytest

from harness.commands import fleet

pytestmark = pytest.mark.sockets

NOBODY = "redis://127.0.0.1:1/0"
KEY = {"DEEPSEEK_API_KEY": "sk-none", "FLEET_HEALTH_HOST": "127.0.0.1", "FLEET_HEALTH_PORT": "0"}


async def test_a_broker_that_is_away_is_no_wrong_input_of_a_worker() -> None:
    status, said = await fleet(NOBODY, "worker", AMQP_URL="amqp://guest:guest@127.0.0.1:1/", **KEY)
    assert status == 1
    assert said.startswith("fleet: No connection to the broker: ")
    assert said.count("\n") == 1


async def test_a_store_that_is_away_is_no_wrong_input_of_a_worker(fleet_vhost: str) -> None:
    status, said = await fleet(NOBODY, "worker", AMQP_URL=fleet_vhost, **KEY)
    assert status == 1
    assert "The store of REDIS_URL can't be used" in said


async def test_a_store_whose_url_is_none_is_wrong_input_of_a_worker(fleet_vhost: str) -> None:
    status, said = await fleet("redis://host:port/0", "worker", AMQP_URL=fleet_vhost, **KEY)
    assert status == 2
    assert "REDIS_URL is wrong" in said
