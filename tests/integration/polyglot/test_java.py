"""A Java backend, written from `contracts/` alone with RabbitMQ's own client, asks a real fleet."""

from collections.abc import Mapping

import pytest

from harness.asked import answer_to
from harness.breaks import break_once_seen
from harness.house import a_house
from harness.java import PROGRAM, Java, java_program

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(240)]

QUESTION = "Name three rivers & one \u201csea\u201d."


@pytest.fixture
async def java(private_environ: Mapping[str, str]) -> Java:
    return await java_program(private_environ)


async def test_java_shows_a_streamed_answer_as_it_comes_and_voids_what_a_new_attempt_replaces(
    java: Java, fleet_vhost: str
):
    async with a_house(fleet_vhost) as house:
        seen = break_once_seen(house.simulator)
        ended = await java.ask(QUESTION, amqp_url=house.url, once_it_speaks=seen)
    assert (ended.status, ended.complaint) == (0, "")
    shown, void, whole = ended.out.partition("\n[a new attempt: forget the text above]\n")
    assert shown
    assert void
    assert answer_to(QUESTION).startswith(shown)
    assert whole == f"{answer_to(QUESTION)}\n"


async def test_java_tells_a_refused_publish_by_its_code_and_a_sentence(java: Java, fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        ended = await java.ask(QUESTION, "deepseek-chat", amqp_url=house.url)
        calls = house.simulator.log.events(kind="arrived")
    assert (ended.status, ended.out) == (1, "")
    assert ended.complaint.startswith("invalid_request: ")
    assert "deepseek-flash" in ended.complaint
    assert not calls


async def test_java_says_that_nobody_takes_requests_where_the_topology_is_missing(java: Java, vhost: str):
    ended = await java.ask(QUESTION, amqp_url=vhost)
    assert (ended.status, ended.out) == (1, "")
    assert "is the topology applied?" in ended.complaint
    assert "no exchange 'deepseek.requests'" in ended.complaint
    assert len(ended.complaint.splitlines()) == 1


async def test_java_says_how_to_name_a_broker(java: Java):
    ended = await java.ask(QUESTION, amqp_url="")
    assert (ended.status, ended.out) == (1, "")
    assert "AMQP_URL is not set: set it as in amqp://" in ended.complaint


def test_the_java_program_is_short_enough_to_read():
    assert len(PROGRAM.read_text().splitlines()) <= 150
