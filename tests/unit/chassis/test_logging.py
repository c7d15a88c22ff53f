import json
from collections.abc import Iterator

import pytest
import structlog

from fleet_chassis.logging import bound, configure_logging, get_log

CANARY = "CANARY-4471"


@pytest.fixture(autouse=True)
def fresh_logging() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def fail(prompt: str) -> None:
    raise ValueError(prompt)


def fail_over(prompt: str) -> None:
    try:
        fail(prompt)
    except ValueError as cause:
        raise RuntimeError(prompt) from cause


def test_an_error_is_logged_by_its_class_and_place_and_never_by_its_text(
    capsys: pytest.CaptureFixture[str],
):
    configure_logging("info", "json")
    try:
        fail_over(CANARY)
    except RuntimeError as error:
        get_log("test").error("broke", error=error)
    printed = capsys.readouterr().err
    line = json.loads(printed)
    assert (line["error"], line["cause"]) == ("RuntimeError", "ValueError")
    assert any("fail_over" in place for place in line["at"])
    assert CANARY not in printed


def test_what_is_bound_for_a_request_is_on_each_of_its_lines(capsys: pytest.CaptureFixture[str]):
    configure_logging("info", "json")
    with bound(correlation_id="c-1"):
        get_log("test").info("one")
    get_log("test").info("two")
    one, two = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert one["correlation_id"] == "c-1"
    assert "correlation_id" not in two
