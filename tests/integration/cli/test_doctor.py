import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aio_pika
import pytest

from fleet_chassis.clock import SystemClock
from fleet_cli.doctor.check import Check, State
from fleet_cli.doctor.diagnosis import diagnose
from fleet_cli.limits.tenant_queues import add_queues
from fleet_contracts.topology import REQUESTS, REQUESTS_BATCH, REQUESTS_DEAD, Arguments
from fleet_simulator.config import DEFAULT_KEY, Account, SimulatorConfig
from fleet_simulator.server import serve
from harness.broker import SharedBroker, signed_in
from harness.house import a_house

pytestmark = pytest.mark.sockets


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    async with serve(SimulatorConfig().at_once()) as simulator:
        yield simulator.base_url


async def diagnosed(
    folder: Path, url: str, base_url: str = "", key: str = DEFAULT_KEY, **more: str
) -> dict[str, Check]:
    variables = {
        **more,
        "AMQP_URL": url,
        "DEEPSEEK_BASE_URL": base_url or "http://127.0.0.1:1",
        "DEEPSEEK_API_KEY": key,
    }
    checks = await diagnose(variables, folder, SystemClock())
    assert len({check.name for check in checks}) == len(checks)
    return {check.name: check for check in checks}


async def changed(url: str, *, delete: str, arguments: Arguments | None = None) -> None:
    """Delete a queue of the topology, and declare it with other arguments where some are given."""
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(delete)
        if arguments:
            await channel.declare_queue(delete, durable=True, arguments=arguments)


async def test_a_whole_fleet_is_fine(tmp_path: Path, fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        found = await diagnosed(tmp_path, fleet_vhost, house.simulator.base_url)
    wanted = {"broker", "topology", "consumers", "backlog", "dead letters", "upstream", "balance", "clock"}
    assert {name: found[name].line() for name in wanted if found[name].state is not State.FINE} == {}
    assert "RabbitMQ 3." in found["broker"].found or "RabbitMQ 4." in found["broker"].found
    assert "without TLS" in found["broker"].found


async def test_looking_changes_nothing(tmp_path: Path, vhost: str, broker: SharedBroker):
    await diagnosed(tmp_path, vhost)
    name = vhost.rpartition("/")[2]
    assert await broker.evaluate(f'rabbit_amqqueue:count(<<"{name}">>).') == "0"


async def test_a_broker_without_the_topology_asks_for_it(tmp_path: Path, vhost: str, base_url: str):
    found = await diagnosed(tmp_path, vhost, base_url)
    assert found["topology"].state is State.FAILED
    assert "fleet topology apply" in found["topology"].advice
    assert found["consumers"].state is State.SKIPPED


async def test_a_queue_with_other_arguments_is_named(tmp_path: Path, fleet_vhost: str):
    arguments: Arguments = {"x-queue-type": "classic", "x-max-length": 5}
    await changed(fleet_vhost, delete=REQUESTS_DEAD, arguments=arguments)
    topology = (await diagnosed(tmp_path, fleet_vhost))["topology"]
    assert topology.state is State.FAILED
    assert f"queue {REQUESTS_DEAD} has x-" in topology.found


async def test_what_is_missing_is_named_and_is_not_declared_by_looking(tmp_path: Path, fleet_vhost: str):
    await changed(fleet_vhost, delete=REQUESTS_BATCH)
    for _ in range(2):
        found = await diagnosed(tmp_path, fleet_vhost)
        assert found["topology"].found == f"missing: queue {REQUESTS_BATCH}"


async def test_requests_that_nobody_serves_are_counted_and_ask_for_a_worker(tmp_path: Path, fleet_vhost: str):
    async with await aio_pika.connect(fleet_vhost) as connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), REQUESTS)
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), REQUESTS_DEAD)
    found = await diagnosed(tmp_path, fleet_vhost)
    assert found["consumers"].state is State.FAILED
    assert f"1 in {REQUESTS}," in found["backlog"].found
    assert found["dead letters"].state is State.WARNING
    assert f"1 in {REQUESTS_DEAD}" in found["dead letters"].found


async def test_a_tenants_own_queue_that_is_gone_or_that_nobody_serves_is_a_failure(
    tmp_path: Path, fleet_vhost: str, store_url: str
):
    told = {"AMQP_URL": fleet_vhost, "REDIS_URL": store_url}
    await add_queues(told, SystemClock(), "acme")
    idle = (await diagnosed(tmp_path, fleet_vhost, REDIS_URL=store_url))["tenants' queues"]
    await changed(fleet_vhost, delete=f"{REQUESTS}.interactive.acme")
    gone = (await diagnosed(tmp_path, fleet_vhost, REDIS_URL=store_url))["tenants' queues"]
    assert (idle.state, gone.state) == (State.FAILED, State.FAILED)
    assert idle.found.startswith("nobody serves ")
    assert f"{REQUESTS}.interactive.acme" in idle.found
    assert gone.found.endswith(f": {REQUESTS}.interactive.acme")
    assert "fleet tenant add" in gone.advice


async def test_a_user_without_the_right_to_configure_is_told_what_could_not_be_looked_at(
    tmp_path: Path, fleet_vhost: str, broker: SharedBroker
):
    name = fleet_vhost.rpartition("/")[2]
    user = f"u-{name}"
    await broker.ctl("add_user", user, "secret-word")
    try:
        await broker.ctl("set_permissions", "-p", name, user, "^$", ".*", ".*")
        url = signed_in(fleet_vhost, user, "secret-word")
        found = await diagnosed(tmp_path, url)
    finally:
        await broker.ctl("delete_user", user)
    assert found["broker"].state is State.FINE
    assert found["topology"].state is State.WARNING
    assert "secret-word" not in str(found)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("/test-", "/gone-", "no virtual host gone-"),
        ("amqp://", "amqps://", "no TLS with"),
    ],
)
async def test_a_broker_that_lets_nobody_in_says_which_part_of_the_url_is_wrong(
    old: str, new: str, sentence: str, tmp_path: Path, vhost: str
):
    broker = (await diagnosed(tmp_path, vhost.replace(old, new)))["broker"]
    assert broker.state is State.FAILED
    assert sentence in broker.found


async def test_a_wrong_password_is_told_with_the_user_and_without_itself(
    tmp_path: Path, vhost: str, broker: SharedBroker
):
    found = (await diagnosed(tmp_path, signed_in(vhost, broker.user, "wrong-word")))["broker"]
    assert found.state is State.FAILED
    assert f"refused the user {broker.user}" in found.found
    assert "wrong-word" not in found.line()


async def test_what_speaks_no_amqp_is_told_from_a_broker(tmp_path: Path, base_url: str):
    broker = (await diagnosed(tmp_path, base_url.replace("http", "amqp"), base_url))["broker"]
    assert broker.state is State.FAILED
    assert "is no AMQP" in broker.found


async def test_a_key_that_the_upstream_refuses_is_a_failure_that_does_not_show_it(
    tmp_path: Path, vhost: str, base_url: str
):
    found = await diagnosed(tmp_path, vhost, base_url, key="sk-nobodys")
    assert found["upstream"].state is State.FAILED
    assert "DEEPSEEK_API_KEY" in found["upstream"].found
    assert "sk-nobodys" not in str(found)
    assert found["balance"].state is State.SKIPPED


async def test_an_empty_account_is_a_failure(tmp_path: Path, vhost: str):
    account = Account("default", (DEFAULT_KEY,), balance="0.00")
    async with serve(SimulatorConfig(accounts=(account,)).at_once()) as simulator:
        balance = (await diagnosed(tmp_path, vhost, simulator.base_url))["balance"]
    assert balance.state is State.FAILED
    assert "top the DeepSeek account up" in balance.advice


async def test_an_upstream_where_nothing_listens_is_a_failure(tmp_path: Path, vhost: str):
    assert (await diagnosed(tmp_path, vhost))["upstream"].state is State.FAILED


async def test_the_command_prints_a_line_a_check_and_ends_with_1_where_one_failed(
    tmp_path: Path, fleet_vhost: str, base_url: str, private_environ: Mapping[str, str]
):
    given = {"AMQP_URL": fleet_vhost, "DEEPSEEK_BASE_URL": base_url, "DEEPSEEK_API_KEY": DEFAULT_KEY}
    status, out = await _ran({**private_environ, **given}, tmp_path)
    assert status == 1
    assert len([line for line in out.splitlines() if line.startswith("✗ ")]) == 1
    assert "✗ consumers: nobody serves" in out
    status, out = await _ran({**private_environ, **given, "PYTHONIOENCODING": "ascii"}, tmp_path)
    assert (status, out[:1]) == (1, "?")


async def test_the_command_ends_with_0_where_all_is_fine(
    tmp_path: Path, fleet_vhost: str, private_environ: Mapping[str, str]
):
    async with a_house(fleet_vhost) as house:
        given = {
            "AMQP_URL": fleet_vhost,
            "DEEPSEEK_BASE_URL": house.simulator.base_url,
            "DEEPSEEK_API_KEY": DEFAULT_KEY,
        }
        status, out = await _ran({**private_environ, **given}, tmp_path, "--json")
    assert status == 0
    report = json.loads(out)
    assert report["fine"] is True
    assert {check["name"] for check in report["checks"]} >= {"settings", "broker", "topology", "store"}


async def _ran(environ: Mapping[str, str], folder: Path, *options: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_cli", "doctor", *options),
        cwd=folder,
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert err == b""
    return process.returncode, out.decode()
