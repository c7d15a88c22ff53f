from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleet_cli.tail.line import UNREADABLE, Seen, seen
from harness.replies import chunk, encoded, failure, result

AT = datetime(2026, 11, 24, 12, 0, 1, tzinfo=UTC)
SECRET = "the secret answer"


def a_result(**changes: Any) -> Seen:
    return seen(AT, "result.acme.deepseek-flash", "c-1", encoded(result("c-1", SECRET, **changes)))


def test_a_result_is_one_line_of_who_asked_what_and_what_it_took():
    line = a_result().line(content=False)
    expected = "result  acme deepseek-flash c-1 7+5 tokens 0.000123 USD 5 ms"
    assert line.partition(" ")[2] == expected


def test_a_failure_is_one_line_with_its_code():
    partial = {"content": SECRET}
    reply = seen(AT, "failure.acme.m", "c-1", encoded(failure("c-1", "rate_limited", partial=partial)))
    assert "failure acme m c-1 rate_limited, attempts 1" in reply.line(content=False)
    assert SECRET not in reply.line(content=False)
    assert SECRET in reply.line(content=True)


def test_a_degraded_result_says_so():
    assert a_result(degraded=True).line(content=False).endswith("degraded")


def test_text_is_shown_only_where_it_is_wanted():
    reply = a_result()
    assert SECRET not in reply.line(content=False) + str(reply.fields(content=False))
    assert SECRET in reply.line(content=True)
    assert reply.fields(content=True)["content"] == SECRET


def test_a_chunk_shows_its_place():
    reply = seen(AT, "chunk.acme.m", "c-1", encoded(chunk("c-1", 3, "Hi")))
    assert reply.line(content=False).endswith("seq 3")
    assert reply.content() == "Hi"


def test_fields_for_programs_leave_out_what_is_not_there():
    fields = a_result().fields(content=False)
    assert fields["at"] == "2026-11-24T12:00:01.000+00:00"
    assert fields["prompt_tokens"] == 7
    assert "code" not in fields


@given(st.binary() | st.just(b"[1]") | st.just(b'{"response":{"choices":[3],"usage":[]},"cost":"x"}'))
def test_whatever_the_body_is_a_line_comes_of_it(body: bytes):
    reply = seen(AT, "result.acme.m", None, body)
    assert reply.kind in {"result", UNREADABLE}
    assert "\n" not in reply.line(content=True)
    reply.fields(content=True)


@given(st.text(), st.text())
def test_no_reply_can_command_the_terminal_or_break_its_line(correlation_id: str, text: str):
    reply = seen(AT, "result.acme.m", correlation_id, encoded(result("c-1", text)))
    assert reply.line(content=True).isprintable()
