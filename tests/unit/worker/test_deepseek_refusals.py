"""What the upstream says when it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_worker.completion import UpstreamAnswer
from fleet_worker.deepseek.refusals import answer_of, retry_after_s

NOW_MS = 1_795_000_000_000  # Wed, 18 Nov 2026 11:06:40 GMT


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            b'{"error":{"message":"Insufficient Balance","type":"unknown_error"}}',
            "unknown_error",
            "Insufficient Balance",
        ),
        (b"Authentication Fails (governor)", None, "Authentication Fails (governor)"),
        (b'{"error":"no such model"}', None, "no such model"),
        (b'{"message":"too long","type":"BadRequest"}', "BadRequest", "too long"),
        (b'{"detail":[{"msg":"field required"}]}', None, '[{"msg":"field required"}]'),
        (b"<html>502 Bad Gateway</html>", None, "<html>502 Bad Gateway</html>"),
        (b"\xff\xfe", None, "\ufffd\ufffd"),
        (b"[1]", None, None),
        (b"", None, None),
        (b'{"error":null}', None, None),
    ],
)
def test_an_error_body_is_read_whatever_its_form(body: bytes, kind: str | None, message: str | None) -> None:
    assert answer_of(400, body, "trace") == UpstreamAnswer(400, kind, message, "trace")


def test_a_long_message_is_cut() -> None:
    message = answer_of(500, b"x" * 60_000, None).message
    assert message is not None
    assert len(message) == 4096


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0.5 ", 0.5),
        ("0", 0.0),
        ("Wed, 18 Nov 2026 11:07:00 GMT", 20.0),
        ("Wed, 18 Nov 2026 11:07:00", 20.0),
        ("Wed, 18 Nov 2026 11:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("-3", None),
        ("nan", None),
        ("1e9", None),
        ("soon", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW_MS) == seconds


@given(
    value=st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,12} Nov \d{1,12} \d+:\d+:\d+ [+-]?\d+")
)
def test_no_retry_after_breaks_the_reader(value: str) -> None:
    seconds = retry_after_s(value, NOW_MS)
    assert seconds is None or seconds >= 0
