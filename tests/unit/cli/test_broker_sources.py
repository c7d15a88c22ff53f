from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_cli.stack.rabbitmq.given import NoControl
from fleet_cli.stack.rabbitmq.sources import NO_BROKER, sources
from fleet_cli.stack.sources import Source, first_available


def no_report(_line: str) -> None: ...


def a_way(name: str, refusal: StackError | None = None) -> Source[Broker]:
    @asynccontextmanager
    async def opened() -> AsyncGenerator[Broker]:
        if refusal is not None:
            raise refusal
        yield Broker(f"amqp://{name}/", "4.0.0", "guest", NoControl())

    return Source(name, opened)


def names(environ: dict[str, str]) -> list[str]:
    return [way.name for way in sources(no_report, environ, Path("/cache"), None)]


def test_a_given_url_leaves_no_other_way() -> None:
    assert names({"AMQP_URL": "amqp://given/"}) == ["given by AMQP_URL"]


def test_a_container_comes_before_the_installed_and_that_before_the_unpacked() -> None:
    assert names({}) == [
        "in a container",
        "installed on this machine",
        "unpacked from the distribution's packages",
    ]


async def test_the_first_way_that_is_open_is_taken_and_reported() -> None:
    lines: list[str] = []
    ways = [a_way("closed", UnavailableError("none here")), a_way("open"), a_way("later")]
    async with first_available(ways, lines.append, nothing=NO_BROKER) as broker:
        assert broker.url == "amqp://open/"
    assert len(lines) == 1
    assert lines[0].startswith("RabbitMQ 4.0.0: open, ready in ")


async def test_when_every_way_is_closed_one_sentence_says_what_to_do_and_what_was_tried() -> None:
    ways = [a_way("a", UnavailableError("no engine answers")), a_way("b", UnavailableError("no apt-get"))]
    with pytest.raises(
        StackError, match=r"set AMQP_URL.*brew install.*no engine answers; no apt-get"
    ) as said:
        async with first_available(ways, no_report, nothing=NO_BROKER):
            pass
    assert "\n" not in str(said.value)


async def test_a_way_that_is_broken_rather_than_closed_is_not_passed_over_in_silence() -> None:
    with pytest.raises(StackError, match="no broker answers"):
        async with first_available(
            [a_way("a", StackError("no broker answers")), a_way("b")], no_report, nothing=NO_BROKER
        ):
            pass


async def test_a_broker_that_is_not_ours_is_never_stopped() -> None:
    broker = Broker("amqp://given/", "4.0.0", "guest", NoControl())
    for forbidden in (broker.kill, broker.restart, broker.stop_app):
        with pytest.raises(StackError, match="not ours"):
            await forbidden()


async def test_a_name_that_could_end_an_erlang_string_is_refused() -> None:
    broker = Broker("amqp://here/", "4.0.0", "guest", NoControl())
    with pytest.raises(StackError, match="no name for a virtual host"):
        await broker.add_vhost('x">>), halt().')
