"""The dead letters, as far as no broker is needed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cli.dlq.asking_again import asked_again, routing_key_of, why_not
from fleet_cli.dlq.choosing import Choice, chosen
from fleet_cli.dlq.letter import Letter, letter_of
from fleet_cli.dlq.view import page, table, text_of
from fleet_cli.main import WRONG_INPUT, status_of
from fleet_cli.wrong_input import WrongInputError
from fleet_contracts import headers as names
from harness.hostile import ANY

NOW_MS = 1_795_435_200_000
HEADERS: dict[str, Any] = {
    "fleet-dead-code": "crash_loop",
    "fleet-dead-message": "It died.",
    "fleet-dead-at-ms": NOW_MS - 3_600_000,
    "fleet-dead-exchange": "deepseek.requests",
    "fleet-dead-queue": "deepseek.requests",
    "fleet-dead-routing-key": "interactive.acme",
    "fleet-tenant": "acme",
}
RECORD = [value for name, value in vars(names).items() if name.startswith("DEAD_")]


def a_letter(headers: dict[str, Any] | None = None, **changes: Any) -> Letter:
    properties: dict[str, Any] = {"message_id": "f00d1234", "correlation_id": "c-1", "type_": "chat.v1"}
    return letter_of(b"{}", {**HEADERS, **(headers or {})}, **{**properties, **changes})


@pytest.mark.parametrize(
    ("choice", "takes"),
    [
        (chosen(), True),
        (chosen(ids=["f00d"]), True),
        (chosen(ids=["f0"]), False),
        (chosen(ids=["c-1"]), True),
        (chosen(ids=["c-2", "nobody"]), False),
        (chosen(codes=["crash_loop", "internal"]), True),
        (chosen(codes=["internal"]), False),
        (chosen(tenants=["acme"]), True),
        (chosen(tenants=["other"]), False),
        (chosen(older="59m"), True),
        (chosen(older="2h"), False),
        (chosen(newer="1d"), True),
        (chosen(newer="30s"), False),
        (chosen(tenants=["acme"], older="2h"), False),
    ],
)
def test_a_choice_takes_what_is_like_all_that_it_says(choice: Choice, takes: bool):
    assert choice.takes(a_letter(), NOW_MS) is takes


def test_a_dead_letter_without_a_date_has_no_age():
    assert not chosen(older="1s").takes(a_letter({"fleet-dead-at-ms": "soon"}), NOW_MS)


@pytest.mark.parametrize("age", ["", "7", "d", "1.5h", "-1h", "9999999999s"])
def test_what_is_no_age_is_refused_with_an_example(age: str):
    with pytest.raises(WrongInputError, match="90m or 7d"):
        chosen(older=age)


def test_an_unknown_code_is_refused_with_those_that_exist():
    with pytest.raises(WrongInputError, match="crash_loop"):
        chosen(codes=["crashed"])


@pytest.mark.parametrize(
    "command",
    [["redrive"], ["drop", "--yes"], ["drop", "--all", "--code", "internal"], ["redrive", "--all", "f00d"]],
)
def test_nothing_is_changed_unless_it_was_chosen(command: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AMQP_URL", "amqp://127.0.0.1:1/")
    assert status_of(["dlq", *command]) == WRONG_INPUT


@pytest.mark.parametrize(
    ("queue", "key", "lane"),
    [
        ("deepseek.requests.batch", "anything", "batch"),
        ("deepseek.requests", "interactive.acme", "interactive"),
        ("deepseek.requests", "deepseek.requests", "interactive"),
        ("deepseek.requests.batch.acme", "batch.acme", "batch"),
        ("deepseek.requests.resumed", "batch.acme", "batch"),
    ],
)
def test_a_request_goes_back_to_its_lane_and_tenant(queue: str, key: str, lane: str):
    letter = a_letter({"fleet-dead-queue": queue, "fleet-dead-routing-key": key})
    assert routing_key_of(letter) == f"{lane}.acme"


def test_asking_again_counts_up_the_retry_and_leaves_the_deadline_out():
    kept = {"fleet-retry": 2, "fleet-deadline-ms": 5, "fleet-on-break": "fail"}
    message = asked_again(a_letter(kept, reply_to="deepseek.reply.acme.1"), b"{}", "new", None)
    assert message.headers == {"fleet-retry": 3, "fleet-on-break": "fail", "fleet-tenant": "acme"}
    assert (message.correlation_id, message.reply_to) == ("c-1", "deepseek.reply.acme.1")
    assert (message.body, message.type, message.user_id) == (b"{}", "chat.v1", None)


def test_a_cancel_or_a_message_without_a_correlation_id_is_not_asked_again():
    assert why_not(a_letter()) is None
    assert "cancel" in (why_not(a_letter(type_="cancel.v1")) or "")
    assert "correlation ID" in (why_not(a_letter(correlation_id=None)) or "")


@given(st.dictionaries(st.sampled_from([*RECORD, names.TENANT, *names.KEPT_IN_DEAD_LETTERS]), ANY), ANY)
def test_a_forged_record_is_shown_and_commands_nothing(headers: dict[str, Any], forged: object):
    letter = letter_of(
        b"\x1b[2J", headers, message_id=forged, correlation_id=forged, type_=forged, reply_to=forged
    )
    for line in [*table([letter]), *page(letter)]:
        assert line.isprintable()
    chosen(older="1s").takes(letter, NOW_MS)
    routing_key_of(letter)


def test_a_body_is_shown_without_what_commands_a_terminal():
    assert text_of(b'{"a":\n\t"\x1b[2J\xff"}') == '{"a":\n\t"\ufffd[2J\ufffd"}'


def test_a_table_tells_of_each_dead_letter_in_one_line():
    lines = table([a_letter(), a_letter({"fleet-retry": 1, "fleet-dead-reason": "delivery_limit"})])
    assert lines[0].split()[:4] == ["id", "died", "code", "tenant"]
    assert "crash_loop" in lines[1]
    assert "c-1~1" in lines[2]
    assert "delivery_limit: It died." in lines[2]
