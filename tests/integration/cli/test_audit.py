"""What operators change is written down, with who did it."""

import json

import pytest

from harness.commands import fleet

pytestmark = pytest.mark.sockets


async def entries(url: str) -> list[tuple[str, str, str]]:
    status, output = await fleet(url, "audit", "--json")
    assert status == 0, output
    found = [json.loads(line) for line in output.splitlines()]
    return [(entry["who"], entry["command"], entry["outcome"]) for entry in found]


async def test_each_change_is_written_down_with_who_made_it_and_how_it_ended(store_url: str):
    assert await fleet(store_url, "audit") == (0, "no operator has changed anything\n")
    await fleet(store_url, "limits", "set", "deepseek-flash", "--rpm", "60", FLEET_OPERATOR="anna")
    await fleet(store_url, "tenant", "set", "acme", "--day", "5", FLEET_OPERATOR="anna")
    await fleet(store_url, "tenant", "clear", "beta", FLEET_OPERATOR="ben")
    assert await entries(store_url) == [
        ("anna", "fleet limits set deepseek-flash --rpm 60", "begun"),
        ("anna", "fleet tenant set acme --day 5", "begun"),
        ("ben", "fleet tenant clear beta", "begun"),
        ("ben", "fleet tenant clear beta", "failed: WrongInputError"),
    ]


async def test_who_only_looks_is_not_written_down(store_url: str):
    await fleet(store_url, "limits", "show")
    await fleet(store_url, "tenant", "list")
    assert await entries(store_url) == []


async def test_declaring_and_dead_letters_are_written_down_too(vhost: str, store_url: str):
    await fleet(store_url, "topology", "apply", AMQP_URL=vhost, FLEET_OPERATOR="carl")
    await fleet(store_url, "dlq", "redrive", "--all", AMQP_URL=vhost, FLEET_OPERATOR="carl")
    assert await entries(store_url) == [
        ("carl", "fleet topology apply", "begun"),
        ("carl", "fleet dlq redrive --all", "begun"),
    ]


async def test_a_log_that_cannot_be_written_stops_nobody(vhost: str):
    status, output = await fleet("redis://127.0.0.1:1/0", "topology", "apply", AMQP_URL=vhost)
    assert status == 0
    assert output.count("this is not in the audit log: ") == 1


async def test_what_fails_without_a_log_says_once_that_it_is_not_in_it():
    away = "redis://127.0.0.1:1/0"
    status, output = await fleet(away, "topology", "apply", AMQP_URL="amqp://guest:guest@127.0.0.1:1/")
    assert status == 1
    log, failure = output.splitlines()
    assert "this is not in the audit log: " in log
    assert "The topology was not applied: no broker answers at 127.0.0.1:1: start it" in failure
