import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from fleet_simulator.config import SimulatorConfig, Timing
from harness.broker import SharedBroker, signed_in
from harness.house import House, a_house

pytestmark = pytest.mark.sockets

PIPE = asyncio.subprocess.PIPE
PATIENCE_S = 60.0
SOON_S = 25.0
"""Ten seconds of its own at most, and as long to be started on a busy machine."""
NOTHING_LISTENS = "amqp://127.0.0.1:1/"
SLOWLY = SimulatorConfig(timing=Timing(headers=0, first_token=0, keep_alive=10, tokens_per_second=5))
FLEET = (sys.executable, "-m", "fleet_cli")


class Command:
    """`fleet ask` as a process of its own, told where the broker is."""

    def __init__(self, folder: Path, environ: Mapping[str, str], url: str) -> None:
        self._folder = folder
        self._environ = {**environ, "AMQP_URL": url}

    async def start(self, *arguments: str, stdout: int = PIPE) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(*FLEET, "ask", *arguments),
            cwd=self._folder,
            env=self._environ,
            stdin=PIPE,
            stdout=stdout,
            stderr=PIPE,
        )

    async def ask(self, *arguments: str, stdin: str = "") -> tuple[int | None, str, str]:
        """Exit status, standard output and standard error."""
        process = await self.start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), PATIENCE_S)
        return process.returncode, out.decode(), err.decode()


@pytest.fixture
async def house(fleet_vhost: str) -> AsyncIterator[House]:
    async with a_house(fleet_vhost) as house:
        yield house


@pytest.fixture
def command(tmp_path: Path, private_environ: Mapping[str, str], fleet_vhost: str) -> Command:
    return Command(tmp_path, private_environ, fleet_vhost)


@pytest.mark.usefixtures("house")
async def test_the_answer_alone_goes_to_standard_output(command: Command):
    status, out, err = await command.ask("What is rain?")
    assert status == 0
    assert "rain" in out
    assert "tokens" in err
    assert "tokens" not in out
    assert "\x1b" not in out + err


@pytest.mark.usefixtures("house")
async def test_a_hyphen_asks_what_standard_input_says(command: Command):
    status, out, _ = await command.ask("-", "--no-thinking", stdin="What is rain?\n")
    assert status == 0
    assert "rain" in out


@pytest.mark.usefixtures("house")
async def test_lane_system_message_and_limit_reach_the_fleet(command: Command):
    options = ("--lane", "batch", "--system", "Be brief.", "--max-tokens", "3", "--no-thinking", "--json")
    status, out, err = await command.ask("What is rain?", *options)
    assert (status, err) == (0, "")
    answer = json.loads(out)
    assert answer["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


@pytest.mark.usefixtures("house")
async def test_a_failure_is_status_1_one_sentence_and_one_object_where_json_was_wanted(command: Command):
    status, out, err = await command.ask("Hi", "--model", "deepseek-chat", "--json")
    assert status == 1
    assert json.loads(out)["code"] == "invalid_request"
    assert "deepseek-flash" in err
    assert len(err.splitlines()) == 1


@pytest.mark.usefixtures("house")
async def test_what_deepseek_said_to_a_refused_request_is_told_before_the_failure(command: Command):
    status, out, err = await command.ask("Hi", "--model", "gpt-4")
    assert (status, out) == (1, "")
    *_, said, failure = err.splitlines()
    assert said.startswith("— DeepSeek said: ")
    assert "gpt-4" in said
    assert failure.startswith("fleet: upstream_rejected: ")


async def test_the_same_question_under_the_same_id_is_paid_once(command: Command, house: House):
    first = await command.ask("What is rain?", "--id", "rain-1")
    again = await command.ask("What is rain?", "--id", "rain-1")
    assert again[:2] == first[:2]
    assert first[2].rstrip().endswith("request rain-1")
    assert len(house.simulator.log.events(kind="charged")) == 1
    status, _, err = await command.ask("What is snow?", "--id", "rain-1")
    assert (status, "idempotency_conflict" in err) == (1, True)
    assert (await command.ask("What is rain?", "--id", "rain-1", "--retry", "1"))[0] == 0
    assert len(house.simulator.log.events(kind="charged")) == 2


@pytest.mark.usefixtures("house")
@pytest.mark.parametrize("options", [(), ("--json",)])
async def test_a_reader_that_goes_away_ends_it_quietly(command: Command, options: tuple[str, ...]):
    reader, writer = os.pipe()
    os.close(reader)
    process = await command.start("What is rain?", "--no-thinking", *options, stdout=writer)
    os.close(writer)
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 1
    assert all(line.startswith("— ") for line in err.decode().splitlines())


async def test_ctrl_c_ends_it_with_130(command: Command, fleet_vhost: str):
    async with a_house(fleet_vhost, SLOWLY):
        process = await command.start("Tell me a long story about the sea.")
        assert process.stderr is not None
        await asyncio.wait_for(process.stderr.readline(), PATIENCE_S)
        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert process.returncode == 130
    assert b"Traceback" not in err


async def test_without_an_answer_in_time_it_fails_in_one_sentence(command: Command):
    began = time.monotonic()
    status, out, err = await command.ask("Is anybody there?", "--timeout", "1")
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert time.monotonic() - began < SOON_S


async def test_without_a_broker_it_says_so_in_one_sentence_and_soon(
    tmp_path: Path, private_environ: Mapping[str, str]
):
    began = time.monotonic()
    status, out, err = await Command(tmp_path, private_environ, NOTHING_LISTENS).ask("Hi")
    assert time.monotonic() - began < SOON_S
    assert (status, out) == (1, "")
    assert err.startswith("fleet: no broker answers at 127.0.0.1:1: ")
    assert len(err.splitlines()) == 1


async def test_a_wrong_password_is_told_from_a_missing_broker(
    tmp_path: Path, private_environ: Mapping[str, str], vhost: str, broker: SharedBroker
):
    url = signed_in(vhost, broker.user, "wrong-word")
    status, _, err = await Command(tmp_path, private_environ, url).ask("Hi")
    assert status == 1
    assert f"refused the user {broker.user}" in err
    assert "wrong-word" not in err


async def test_without_the_topology_it_says_what_to_run(
    tmp_path: Path, private_environ: Mapping[str, str], vhost: str
):
    status, _, err = await Command(tmp_path, private_environ, vhost).ask("Hi", "--timeout", "5")
    assert status == 1
    assert "fleet topology apply" in err
