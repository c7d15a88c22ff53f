"""`definitions.json` is the topology in RabbitMQ's words, no more and no less."""

import json
from pathlib import Path
from typing import Any

import pytest

from fleet_contracts.definitions import definitions
from fleet_contracts.topology import topology


@pytest.fixture
def printed(contracts: Path) -> dict[str, Any]:
    return json.loads((contracts / "definitions.json").read_text())


def test_it_names_only_what_the_topology_names_and_all_of_it(printed: dict[str, Any]):
    parts = topology()
    assert set(printed) == {"exchanges", "queues", "bindings"}
    assert [exchange["name"] for exchange in printed["exchanges"]] == [each.name for each in parts.exchanges]
    assert [queue["name"] for queue in printed["queues"]] == [each.name for each in parts.queues]
    assert [
        (binding["source"], binding["destination"], binding["routing_key"]) for binding in printed["bindings"]
    ] == [(each.exchange, each.destination, each.key) for each in parts.bindings]


def test_everything_survives_a_restart_of_the_broker(printed: dict[str, Any]):
    for part in (*printed["exchanges"], *printed["queues"]):
        assert part["durable"]
        assert not part["auto_delete"]


def test_it_holds_no_user_and_no_password(printed: dict[str, Any]):
    assert not {"users", "permissions", "vhosts", "policies"} & set(printed)


def test_another_virtual_host_gets_the_same_topology():
    ours, default = definitions("deepseek"), definitions()
    assert {part["vhost"] for parts in ours.values() for part in parts} == {"deepseek"}
    assert json.loads(json.dumps(ours).replace('"vhost": "deepseek"', '"vhost": "/"')) == default
