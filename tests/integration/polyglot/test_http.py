"""A caller with curl and jq alone, over RabbitMQ's management API, asks a real fleet."""

import re
import shutil
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from fleet_simulator.answers import expected_text
from fleet_simulator.faults import Fault, Kind
from harness.broker import SharedBroker
from harness.house import a_house
from harness.node import CONTRACTS
from harness.programs import Ended, ran
from harness.strict import management_url

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq"),
]

QUESTION = 'Name three "rivers" & one sea.'


@pytest.fixture
async def environ(
    fleet_vhost: str, broker: SharedBroker, private_environ: Mapping[str, str]
) -> dict[str, str]:
    vhost = unquote(urlsplit(fleet_vhost).path[1:])
    return {
        **private_environ,
        "MANAGEMENT_URL": await management_url(broker),
        "VHOST": vhost,
        "TENANT": "acme",
    }


async def ask(environ: Mapping[str, str]) -> Ended:
    return await ran("sh", str(CONTRACTS / "examples/http/ask.sh"), QUESTION, environ=environ)


async def test_an_answer_is_fetched_and_the_reply_queue_removed(
    environ: dict[str, str], fleet_vhost: str, broker: SharedBroker
):
    body: dict[str, Any] = {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": QUESTION}],
    }
    async with a_house(fleet_vhost):
        ended = await ask(environ)
        queues = await broker.ctl("list_queues", "-p", environ["VHOST"], "name")
    assert (ended.status, ended.complaint) == (0, "")
    assert ended.out == f"{expected_text(body)[1]}\n"
    assert not re.search(r"deepseek\.reply\.acme\.[0-9a-f]{32}", str(queues))


async def test_a_failure_is_its_code_and_a_sentence(environ: dict[str, str], fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        house.simulator.inject(Fault(Kind.STATUS, status=400))
        ended = await ask(environ)
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint.startswith("upstream_rejected: ")


async def test_without_the_topology_it_says_what_to_do(environ: dict[str, str], broker: SharedBroker):
    name = f"{environ['VHOST']}-bare"
    await broker.add_vhost(name)
    try:
        ended = await ask({**environ, "VHOST": name})
    finally:
        await broker.delete_vhost(name)
    assert (ended.status, ended.out) == (1, "")
    assert "The request was not taken" in ended.complaint
    assert "fleet topology apply" in ended.complaint
