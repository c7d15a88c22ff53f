import asyncio
import json
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

import aio_pika
import pytest
from aio_pika.exceptions import DeliveryError

from fleet_cli.connecting import BrokerError
from fleet_cli.tail import following
from fleet_cli.tail.following import Following, Gap, Heard, follow
from fleet_cli.tail.patterns import TERMINAL
from fleet_contracts.topology import RESULTS
from fleet_simulator import Fault, Kind
from harness.broker import SharedBroker
from harness.house import a_house
from harness.replies import encoded, result

pytestmark = pytest.mark.sockets

PATIENCE_S = 60.0
ASKED = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}]}


@asynccontextmanager
async def tailing(
    folder: Path, url: str, environ: Mapping[str, str], *options: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """`fleet tail` as a process that follows."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_cli", "tail", *options),
        cwd=folder,
        env={**environ, "AMQP_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        said = await asyncio.wait_for(process.stderr.readline(), PATIENCE_S)
        assert said == b"fleet: following; Ctrl-C ends it\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, out.decode(), err.decode()


async def published(url: str, count: int, size: int = 0) -> None:
    """Results of a fleet that is not there."""
    async with await aio_pika.connect(url) as connection:
        exchange = await (await connection.channel()).get_exchange(RESULTS)
        for number in range(count):
            body = encoded(result(f"c-{number}", "x" * size))
            message = aio_pika.Message(body, correlation_id=f"c-{number}")
            await exchange.publish(message, "result.acme.deepseek-flash")


def is_reply(heard: Heard, correlation_id: str) -> bool:
    return not isinstance(heard, Gap | Following) and heard.correlation_id == correlation_id


async def heard_next(replies: AsyncGenerator[Heard]) -> Heard:
    return await asyncio.wait_for(anext(replies), PATIENCE_S)


async def test_a_result_comes_as_one_line_and_its_caller_still_gets_it(
    tmp_path: Path, fleet_vhost: str, private_environ: Mapping[str, str]
):
    async with (
        a_house(fleet_vhost) as house,
        tailing(tmp_path, fleet_vhost, private_environ, "--count", "1") as process,
    ):
        answered = await house.caller.ask(ASKED)
        (answer,) = await house.caller.until_end()
        status, out, err = await ended(process)
    assert (status, err) == (0, "")
    (line,) = out.splitlines()
    assert f"result  acme deepseek-flash {answered} " in line
    assert "tokens" in line
    assert answer["response"]["choices"][0]["message"]["content"] not in out


async def test_a_failure_comes_as_one_line_with_its_code(
    tmp_path: Path, fleet_vhost: str, private_environ: Mapping[str, str]
):
    async with (
        a_house(fleet_vhost) as house,
        tailing(tmp_path, fleet_vhost, private_environ, "--count", "1") as process,
    ):
        house.simulator.inject(Fault(Kind.STATUS, status=400))
        failed = await house.caller.ask(ASKED)
        status, out, _ = await ended(process)
    assert status == 0
    assert f"failure acme deepseek-flash {failed} upstream_rejected" in out


async def test_json_lines_hold_the_text_where_it_is_wanted(
    tmp_path: Path, fleet_vhost: str, private_environ: Mapping[str, str]
):
    options = ("--json", "--content", "--count", "1", "--pattern", "result.acme.#")
    async with (
        a_house(fleet_vhost) as house,
        tailing(tmp_path, fleet_vhost, private_environ, *options) as process,
    ):
        await house.caller.ask(ASKED, key="interactive.other")
        await house.caller.until_end()
        asked = await house.caller.ask(ASKED)
        (answer,) = await house.caller.until_end()
        status, out, _ = await ended(process)
    assert status == 0
    line = json.loads(out)
    assert (line["kind"], line["correlation_id"]) == ("result", asked)
    assert line["content"] == answer["response"]["choices"][0]["message"]["content"]


async def test_ctrl_c_ends_it_quietly_with_130(
    tmp_path: Path, fleet_vhost: str, private_environ: Mapping[str, str]
):
    async with tailing(tmp_path, fleet_vhost, private_environ) as process:
        process.send_signal(signal.SIGINT)
        assert await ended(process) == (130, "", "")


async def test_a_reader_that_goes_away_ends_it_quietly(
    tmp_path: Path, fleet_vhost: str, private_environ: Mapping[str, str]
):
    command = f"{sys.executable} -m fleet_cli tail | head -n 1"
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=tmp_path,
        env={**private_environ, "AMQP_URL": fleet_vhost},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    await asyncio.wait_for(process.stderr.readline(), PATIENCE_S)
    ending = asyncio.create_task(ended(process))
    # It learns that nobody reads from what it writes then, so there has to be something to write.
    while not ending.done():
        with suppress(DeliveryError):  # a queue that goes away with its reader in the middle refuses the rest
            await published(fleet_vhost, 50)
    _, out, err = await ending
    assert (len(out.splitlines()), err) == (1, "")


async def test_a_slow_reader_loses_the_oldest_replies_and_is_told(
    fleet_vhost: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(following, "HELD_MESSAGES", 5)
    monkeypatch.setattr(following, "PREFETCH", 2)
    async with aclosing(follow(fleet_vhost, TERMINAL)) as replies:
        assert isinstance(await heard_next(replies), Following)
        await published(fleet_vhost, 30)
        heard: list[Heard] = [await heard_next(replies)]
        while not is_reply(heard[-1], "c-29"):
            heard.append(await heard_next(replies))
    gaps = [one for one in heard if isinstance(one, Gap)]
    assert gaps
    assert "fell behind" in gaps[0].reason
    assert len(heard) - len(gaps) < 30


async def test_a_lost_connection_is_told_and_made_anew(fleet_vhost: str, broker: SharedBroker):
    async with aclosing(follow(fleet_vhost, TERMINAL)) as replies:
        assert isinstance(await heard_next(replies), Following)
        await broker.ctl("close_all_user_connections", broker.user, "a test")
        assert isinstance(await heard_next(replies), Gap)
        assert isinstance(await heard_next(replies), Following)
        await published(fleet_vhost, 1)
        assert is_reply(await heard_next(replies), "c-0")


async def test_a_broker_without_the_topology_asks_for_it(vhost: str):
    with pytest.raises(BrokerError, match="fleet topology apply"):
        async with aclosing(follow(vhost, TERMINAL)) as replies:
            await heard_next(replies)


async def test_nothing_is_left_on_the_broker(fleet_vhost: str, broker: SharedBroker):
    name = fleet_vhost.rpartition("/")[2]
    count = f'rabbit_amqqueue:count(<<"{name}">>).'
    before = await broker.evaluate(count)
    async with aclosing(follow(fleet_vhost, TERMINAL)) as replies:
        await heard_next(replies)
        assert int(await broker.evaluate(count)) == int(before) + 2
    async with asyncio.timeout(PATIENCE_S):
        while await broker.evaluate(count) != before:  # noqa: ASYNC110 - a broker can only be asked
            await asyncio.sleep(0.05)
