"""The support bot, as a person runs it, against a real broker, worker and simulator."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from fleet_client import Fleet
from fleet_simulator.faults import Fault, Kind
from harness.examples import Program, program
from harness.house import a_house

pytestmark = pytest.mark.sockets

ADA = "ada@example.com"


@pytest.fixture
def bot(fleet_vhost: str, private_environ: Mapping[str, str], tmp_path: Path) -> Program:
    return program("support_bot/bot.py", fleet_vhost, private_environ, tmp_path)


async def test_a_customer_is_told_of_her_order_and_is_handed_over_when_she_asks_for_a_person(bot: Program):
    said = "Where is my order A-1002?\nLet me talk to a person\nIs anybody there?\n"
    async with a_house(bot.environ["AMQP_URL"]) as house:
        ended = await bot(ADA, "support-1", told=said)
        async with Fleet(house.url, tenant="support") as fleet:
            history = (await fleet.conversation("support-1").history()).messages
    assert (ended.status, ended.complaint) == (0, "")
    assert "[A-1002: six cups, on its way, due 2026-11-28]\n" in ended.out
    answers = [each["content"] for each in history if each["role"] == "assistant" and each["content"]]
    assert len(answers) == 2
    assert all(answer in ended.out for answer in answers)
    assert re.search(r"^\[a person takes over support-1: .+\]$", ended.out.splitlines()[-1])
    assert [each["content"] for each in history if each["role"] == "user"] == said.splitlines()[:2]


async def test_nobody_is_told_of_the_order_of_somebody_else_and_a_conversation_goes_on_in_another_process(
    bot: Program,
):
    async with a_house(bot.environ["AMQP_URL"]) as house:
        first = await bot(ADA, "support-1", told="Where is A-1003?\n")
        again = await bot(ADA, "support-1", told="And A-1001?\n\n")
        async with Fleet(house.url, tenant="support") as fleet:
            history = (await fleet.conversation("support-1").history()).messages
    assert "[this customer has no order A-1003]" in first.out
    assert "kettle" not in first.out
    assert "[A-1001: teapot, blue, delivered, due 2026-11-20]" in again.out
    assert len([each for each in history if each["role"] == "user"]) == 2


async def test_a_customer_whom_the_bot_can_not_answer_is_handed_over(bot: Program):
    async with a_house(bot.environ["AMQP_URL"]) as house:
        house.simulator.inject(Fault(Kind.STATUS, status=400))
        ended = await bot(ADA, "support-1", told="Where is A-1002?\n")
    assert ended.status == 0
    assert "[a person takes over support-1: the bot could not answer (upstream_rejected)]" in ended.out
