"""A Node.js backend, written from `contracts/` alone, asks a real fleet and checks all replies by schema."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fleet_contracts.printing.examples import Example, read_examples
from fleet_simulator.faults import Fault, Kind
from harness.asked import answer_to
from harness.breaks import break_once_seen
from harness.broker import SharedBroker
from harness.house import a_house
from harness.node import CONTRACTS, PROGRAMS, Node, node_programs

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(240)]

QUESTION = "Name three rivers."
RIGHTS = re.compile(r"^rabbitmqctl (set_\w+) acme (.+)$", re.MULTILINE)


@pytest.fixture
async def node(tmp_path: Path, private_environ: Mapping[str, str]) -> Node:
    return await node_programs(tmp_path, private_environ)


@pytest.fixture
async def acme(fleet_vhost: str, broker: SharedBroker) -> AsyncIterator[str]:
    """The URL of a RabbitMQ user `acme`, who has no rights yet."""
    place = urlsplit(fleet_vhost)
    await broker.ctl("add_user", "acme", "of-the-test")
    yield place._replace(netloc=f"acme:of-the-test@{place.hostname}:{place.port}").geturl()
    await broker.ctl("delete_user", "acme")


def vhost_of(url: str) -> str:
    return urlsplit(url).path[1:]


def without_empty_headers(example: Example) -> dict[str, Any]:
    """AMQP has no difference between an empty table of headers and none; amqplib always sends one."""
    properties = {name: value for name, value in example["properties"].items() if value != {}}
    return {**example, "properties": properties}


async def test_a_streamed_answer_comes_with_no_more_rights_than_the_contract_names(
    node: Node, acme: str, broker: SharedBroker, fleet_vhost: str
):
    rights = RIGHTS.findall((CONTRACTS / "README.md").read_text())
    assert {command for command, _ in rights} == {"set_permissions", "set_topic_permissions"}
    for command, arguments in rights:
        words = [word.strip("'") for word in arguments.split()]
        await broker.ctl(command, "-p", vhost_of(acme), "acme", *words)
    async with a_house(fleet_vhost) as house:
        ended = await node.run("ask.mjs", QUESTION, amqp_url=acme)
        calls = house.simulator.log.events(kind="admitted")
    assert (ended.status, ended.complaint) == (0, "")
    assert ended.out == f"{answer_to(QUESTION)}\n"
    assert len(calls) == 1


async def test_a_new_attempt_voids_what_was_shown(node: Node, fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        seen = break_once_seen(house.simulator)
        ended = await node.run("ask.mjs", QUESTION, amqp_url=house.url, once_it_speaks=seen)
    assert (ended.status, ended.complaint) == (0, "")
    assert ended.out.count("[a new attempt: forget the text above]\n") == 1
    assert ended.out.endswith(f"above]\n{answer_to(QUESTION)}\n")


async def test_a_failure_is_its_code_and_a_sentence(node: Node, fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.STATUS, status=400))
        ended = await node.run("ask.mjs", QUESTION, amqp_url=house.url)
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint.startswith("upstream_rejected: ")


async def test_a_refused_publish_is_told_why(node: Node, fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        ended = await node.run("ask.mjs", QUESTION, "deepseek-chat", amqp_url=house.url)
        calls = house.simulator.log.events(kind="arrived")
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint.startswith("invalid_request: ")
    assert "deepseek-flash" in ended.complaint
    assert not calls


async def test_every_golden_example_crosses_the_broker_and_comes_back_as_it_was(
    node: Node, acme: str, broker: SharedBroker
):
    await broker.ctl("set_permissions", "-p", vhost_of(acme), "acme", ".*", ".*", ".*")
    ended = await node.run("golden.mjs", amqp_url=acme)
    assert (ended.complaint, ended.status) == ("", 0)
    back = [json.loads(line) for line in ended.out.splitlines()]
    expected = [
        {"type": message, "file": f"{case}.json", **without_empty_headers(example)}
        for message, cases in read_examples(CONTRACTS / "examples").items()
        for case, example in cases.items()
    ]
    assert back == expected


async def test_examples_of_another_user_cross_the_broker_without_its_name(node: Node, vhost: str):
    ended = await node.run("golden.mjs", amqp_url=vhost)
    assert ended.status == 0
    assert len(ended.out.splitlines()) == sum(map(len, read_examples(CONTRACTS / "examples").values()))
    assert [line.partition(":")[0] for line in ended.complaint.splitlines()] == [
        "of_a_request_asked_again.json",
        "strict_tenant.json",
    ]


@pytest.mark.parametrize("program", ["ask.mjs", "golden.mjs"])
async def test_without_a_broker_named_it_says_how_to_name_one(node: Node, program: str):
    ended = await node.run(program, amqp_url="")
    assert (ended.status, ended.out) == (1, "")
    assert "AMQP_URL is not set: set it as in amqp://" in ended.complaint


async def test_a_reply_that_breaks_its_schema_stops_the_program(node: Node, fleet_vhost: str):
    schema = node.contracts / "schemas/accepted.v1.json"
    schema.write_text(schema.read_text().replace('"const": "accepted"', '"const": "applauded"'))
    async with a_house(fleet_vhost) as house:
        ended = await node.run("ask.mjs", QUESTION, amqp_url=house.url)
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint == "accepted.v1: data/kind must be equal to constant\n"


def test_the_lock_file_names_no_registry():
    lock = json.loads((CONTRACTS / PROGRAMS / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert packages
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
