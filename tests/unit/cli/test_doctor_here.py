from pathlib import Path

import pytest

from fleet_chassis.clock import SystemClock
from fleet_cli.doctor.check import State
from fleet_cli.doctor.here import check_settings, check_versions
from fleet_cli.doctor.upstream import check_upstream


def test_settings_that_lack_something_are_named_in_sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AMQP_URL", "amqp://host/")
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    check = check_settings(tmp_path / "stack.env")
    assert check.state is State.FAILED
    assert "DEEPSEEK_API_KEY is not set" in check.found


def test_the_file_of_a_running_stack_fills_in_what_the_environment_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("AMQP_URL", raising=False)
    monkeypatch.delenv("DEEPSEEK_API_KEY", raising=False)
    file = tmp_path / "stack.env"
    file.write_text("AMQP_URL=amqp://host/\nDEEPSEEK_API_KEY=sk-1\nREDIS_URL=''\n")
    check = check_settings(file)
    assert check.state is State.FINE
    assert str(file) in check.found


def test_the_fleets_packages_are_of_one_version():
    assert check_versions().state is State.FINE


async def test_without_a_key_no_upstream_is_called():
    upstream, *others = await check_upstream({"DEEPSEEK_BASE_URL": "http://127.0.0.1:1"}, SystemClock())
    assert upstream.state is State.FAILED
    assert "DEEPSEEK_API_KEY" in upstream.advice
    assert [other.state for other in others] == [State.SKIPPED, State.SKIPPED]


async def test_a_base_url_that_is_none_is_refused_in_a_sentence():
    variables = {"DEEPSEEK_BASE_URL": "upstream:80", "DEEPSEEK_API_KEY": "sk-1"}
    upstream, *_ = await check_upstream(variables, SystemClock())
    assert upstream.state is State.FAILED
    assert "DEEPSEEK_BASE_URL" in upstream.found
