"""A whole fleet in strict mode: each program signs in as its own user, and does all that it is there for."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import aio_pika
import pytest

from fleet_chassis.clock import SystemClock
from fleet_cli.asking import Question, ask_and_show, messages_of
from fleet_cli.dlq.choosing import Choice
from fleet_cli.dlq.operating import list_letters, redrive_letters
from fleet_cli.doctor.check import State
from fleet_cli.doctor.diagnosis import diagnose
from fleet_cli.limits.tenant_queues import add_queues, remove_queues
from fleet_cli.show.looking import show_life
from fleet_cli.tail.following import Following, follow
from fleet_client import Fleet, FleetError, Text
from fleet_contracts.grammar import Lane
from fleet_contracts.topology import retry_rung, tenant_queue
from fleet_simulator.config import DEFAULT_KEY
from fleet_simulator.faults import Fault, Kind, Match
from fleet_simulator.server import Running
from harness.caller import a_caller, dead_letters
from harness.strict import ACME, ADMIN, OPERATOR, StrictVhost, a_strict_worker, until_in

pytestmark = pytest.mark.sockets

PATIENCE_S = 20.0
CLOCK = SystemClock()
STALLED = Fault(Kind.STALL, match=Match(), after_chunks=3)
BUSY = Fault(Kind.STATUS, match=Match(), status=429, retry_after="60")


@pytest.fixture
async def simulator(place: StrictVhost, store_url: str) -> AsyncIterator[Running]:
    """What the one strict worker asks; the worker shares a store with operators."""
    async with a_strict_worker(place, REDIS_URL=store_url) as (_, running):
        yield running


@pytest.mark.usefixtures("simulator")
async def test_a_backend_asks_streams_cancels_and_follows_its_results(place: StrictVhost, simulator: Running):
    async with Fleet(place.as_user(ACME), tenant=ACME) as fleet:
        followed = asyncio.create_task(_first_of(fleet))
        await until_in(place, "deepseek.reply.acme.results.strict", consumers=1)
        answer = await fleet.complete("Hello", id="c-1", thinking=False)
        assert await asyncio.wait_for(followed, PATIENCE_S) == "c-1"
        simulator.inject(STALLED)
        since = simulator.log.next_offset
        async with aclosing(fleet.stream("Tell me of the sea", thinking=False)) as events:
            async for event in events:
                if isinstance(event, Text):
                    break
        await simulator.log.wait_for(lambda event: event.kind == "closed", since=since, within=PATIENCE_S)
    assert answer.text


async def test_a_request_is_parked_and_cancelled_there(place: StrictVhost, simulator: Running):
    simulator.inject(BUSY)
    async with a_caller(place.as_user(ACME), ACME) as caller:
        asked = await caller.ask(_body(), user_id=ACME)
        await until_in(place, retry_rung(30))
        await caller.cancel(asked, key="cancel.acme", user_id=ACME)
        assert (await caller.until_end())[-1]["code"] == "cancelled"
    # It would come back in half a minute, in another test, whose store has not heard of the cancel.
    async with await aio_pika.connect(place.url) as connection:
        await (await (await connection.channel()).get_queue(retry_rung(30), ensure=False)).purge()


async def test_the_janitor_in_a_worker_ends_what_died_in_its_queue(place: StrictVhost, store_url: str):
    async with a_caller(place.as_user(ACME), ACME) as caller:
        await caller.ask(_body(), user_id=ACME, expiration=0.01)
        await until_in(place, "deepseek.dead.raw")
        async with a_strict_worker(place, REDIS_URL=store_url):
            assert (await caller.until_end())[-1]["code"] == "deadline_exceeded"
            await until_in(place, "deepseek.requests.dead")
    assert len(await dead_letters(place.url)) == 1


async def test_a_worker_without_a_store_makes_sure_that_it_is_alone(place: StrictVhost):
    async with a_strict_worker(place), Fleet(place.as_user(ACME), tenant=ACME) as fleet:
        assert (await fleet.complete("Hello", thinking=False)).text


@pytest.mark.usefixtures("simulator")
async def test_fleet_ask_asks_as_the_tenant_of_its_user(
    place: StrictVhost, capsys: pytest.CaptureFixture[str]
):
    question = Question(messages_of("Hello", ""), ACME, PATIENCE_S, Lane.BATCH, {"thinking": False})
    await ask_and_show(place.as_user(ACME), question, as_json=True)
    assert '"text"' in capsys.readouterr().out
    with pytest.raises(FleetError):
        await ask_and_show(place.as_user(ACME), _as_default(question), as_json=True)


@pytest.mark.usefixtures("simulator")
async def test_an_operator_follows_every_tenant_and_takes_nothing(place: StrictVhost):
    async with (
        aclosing(follow(place.as_user(OPERATOR), ("result.#",))) as heard,
        Fleet(place.as_user(ACME), tenant=ACME) as fleet,
    ):
        async with asyncio.timeout(PATIENCE_S):
            assert isinstance(await anext(heard), Following)
            await fleet.complete("Hello", id="c-tail", thinking=False)
            message: Any = await anext(heard)
    assert message.correlation_id == "c-tail"


@pytest.mark.usefixtures("simulator")
async def test_an_operator_looks_at_dead_letters_asks_them_again_and_sees_their_lives(
    place: StrictVhost, store_url: str, capsys: pytest.CaptureFixture[str]
):
    operator = place.as_user(OPERATOR)
    async with a_caller(place.as_user(ACME), ACME) as caller:
        asked = await caller.ask({**_body(), "temperature": "hot"}, user_id=ACME)
        assert (await caller.until_end())[-1]["code"] == "invalid_request"
        await until_in(place, "deepseek.requests.dead")
        await list_letters(operator, Choice(), CLOCK, limit=10, as_json=False)
        assert asked in capsys.readouterr().out
        # Who looks holds it meanwhile, and the broker puts it back soon after.
        await until_in(place, "deepseek.requests.dead")
        await show_life(
            {"REDIS_URL": store_url, "AMQP_URL": operator}, "fleet", (ACME, asked, 0), CLOCK, as_json=False
        )
        assert "invalid_request" in capsys.readouterr().out
        await until_in(place, "deepseek.requests.dead")
        await redrive_letters(operator, Choice(ids=(asked,)), CLOCK, strict=True)
        again = (await caller.until_end())[-1]
    # Believed to be acme's, as the operator is trusted, and refused again for what it is.
    assert again["id"].startswith(f"{asked}~1:refused:")
    await until_in(place, "deepseek.requests.dead")
    assert len(await dead_letters(place.url)) == 1


async def test_the_deploy_step_finds_all_well_and_gives_a_tenant_queues_of_its_own(
    place: StrictVhost, simulator: Running, store_url: str, tmp_path: Path
):
    admin = {"AMQP_URL": place.as_user(ADMIN), "REDIS_URL": store_url, "PATH": os.defpath}
    account = {"DEEPSEEK_BASE_URL": simulator.base_url, "DEEPSEEK_API_KEY": DEFAULT_KEY}
    checks = {check.name: check for check in await diagnose({**admin, **account}, tmp_path, CLOCK)}
    asked = ("broker", "topology", "consumers", "backlog", "dead letters")
    assert {name: checks[name].line() for name in asked if checks[name].state is not State.FINE} == {}
    await add_queues(admin, CLOCK, ACME)
    await until_in(place, tenant_queue(Lane.INTERACTIVE, ACME), consumers=1)
    async with Fleet(place.as_user(ACME), tenant=ACME) as fleet:
        assert (await fleet.complete("Hello", thinking=False)).text
    await remove_queues(admin, CLOCK, ACME, PATIENCE_S)


@pytest.mark.usefixtures("simulator")
async def test_the_doctor_of_an_operator_finds_nothing_broken(place: StrictVhost, tmp_path: Path):
    checks = {
        check.name: check for check in await diagnose({"AMQP_URL": place.as_user(OPERATOR)}, tmp_path, CLOCK)
    }
    asked = ("broker", "topology", "consumers", "backlog", "dead letters")
    # It may not ask about everything, and from RabbitMQ 4.3 on not even about queues that it has no right to.
    assert [checks[name].line() for name in asked if checks[name].state is State.FAILED] == []
    assert "ask as a user with the right to configure" in checks["topology"].line()


def _body() -> dict[str, Any]:
    asked = {"role": "user", "content": "Hello"}
    return {"model": "deepseek-flash", "messages": [asked], "thinking": {"type": "disabled"}}


def _as_default(question: Question) -> Question:
    return Question(question.messages, "default", 2.0, question.lane, question.options)


async def _first_of(fleet: Fleet) -> str:
    async with aclosing(fleet.results("strict", pattern="result.acme.#")) as outcomes:
        return (await anext(outcomes)).id
