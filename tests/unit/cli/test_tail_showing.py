import json
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fleet_chassis.clock import SystemClock
from fleet_cli.tail.following import Gap, Heard
from fleet_cli.tail.patterns import TERMINAL, checked
from fleet_cli.tail.showing import Wish, show
from fleet_cli.wrong_input import WrongInputError
from harness.replies import encoded, result


def a_message(cid: str) -> Heard:
    body = encoded(result(cid, "Hi"))
    message: Any = SimpleNamespace(routing_key="result.acme.m", correlation_id=cid, body=body)
    return cast("Heard", message)


async def played(*heard: Heard) -> AsyncGenerator[Heard]:
    for one in heard:
        yield one


async def test_what_was_missed_is_told_beside_the_lines_and_not_among_them(
    capsys: pytest.CaptureFixture[str],
):
    replies = played(a_message("c-1"), Gap("this reader fell behind"), a_message("c-2"))
    await show(replies, Wish(as_json=True), SystemClock())
    said = capsys.readouterr()
    assert [json.loads(line)["correlation_id"] for line in said.out.splitlines()] == ["c-1", "c-2"]
    assert said.err == "fleet: this reader fell behind: some replies are left out here\n"


async def test_it_ends_after_as_many_replies_as_were_wanted(capsys: pytest.CaptureFixture[str]):
    replies = played(a_message("c-1"), a_message("c-2"), a_message("c-3"))
    await show(replies, Wish(count=2), SystemClock())
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_without_a_pattern_every_terminal_reply_is_followed():
    assert checked([]) == TERMINAL


def test_a_pattern_given_twice_is_bound_once():
    assert checked(["#", "#"]) == ("#",)


@pytest.mark.parametrize(
    "pattern", ["#", "*.acme.*", "chunk.#", "result.acme.deepseek-flash", "#.acme.*", "result.*.*.#"]
)
def test_a_pattern_that_fits_a_key_is_followed_as_it_is(pattern: str):
    assert checked([pattern]) == (pattern,)


@pytest.mark.parametrize(
    "pattern",
    [
        "acme",
        "acme.#",
        "",
        "results.#",
        "result." + "x" * 250,
        "chunk",
        "result.acme",
        "result.acme.deepseek.flash",
    ],
)
def test_a_pattern_that_fits_no_reply_is_refused_with_an_example(pattern: str):
    with pytest.raises(WrongInputError, match=r"result\.acme\.#"):
        checked([pattern])
