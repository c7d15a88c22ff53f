"""How the limiter stands and what operators set, as a person reads it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from fleet_cli.limits.setting import Pool
from fleet_cli.limits.showing import lines_of, tenants_of
from fleet_cli.main import status_of
from fleet_cli.wrong_input import WrongInputError
from fleet_worker.limiter.overview import PoolView, View

POOL = PoolView("default/deepseek-flash", 100, 100, 3, 1, 0, 0)


def said(pool: PoolView = POOL, settings: Mapping[str, str] = MappingProxyType({})) -> str:
    return "\n".join(lines_of(View(2, [pool], dict(settings))))


def test_what_operators_set_is_said_in_words_and_money_in_dollars():
    text = said(
        settings={
            "pool|default/deepseek-flash|concurrency": "20",
            "pool|default/deepseek-flash|rpm": "60",
            "reserve": "0.5",
            "tenant|billing|day": "3000000000",
            "tenant|billing|weight": "2",
            "tenant|billing|queue": "1",
        }
    )
    assert "default/deepseek-flash  concurrency 20, rpm 60" in text
    assert "batch leaves 50% of the calls at once free" in text
    assert "tenant billing          day 3 US dollars, queues of its own, weight 2" in text


def test_rates_are_shown_where_there_are_some():
    head, row = said(replace(POOL, rpm=60)).splitlines()[1:3]
    assert row[head.index("rpm") :].startswith("60")
    assert row[head.index("tpm") :].startswith("     ")


def test_a_limit_below_what_is_configured_says_why_and_what_to_do():
    assert "fewer than configured" not in said()
    assert "FLEET_LIMIT_START" in said(replace(POOL, limit=50))
    assert "`fleet limits relearn`" in said(replace(POOL, limit=50, learned=True))


def test_what_is_set_for_tenants_is_found_among_all_that_is_set():
    settings = {"tenant|*|rpm": "3", "reserve": "0.1", "pool|default/x|rpm": "4", "tenant|a|month": "500000"}
    assert tenants_of(settings) == {"*": {"rpm": 3}, "a": {"month": 0.0005}}


@pytest.mark.parametrize(
    ("account", "model"), [("a", ""), ("a", "b|c"), ("a", "b c"), ("a/b", "c"), ("", "c")]
)
def test_names_that_can_be_no_model_and_no_account_are_refused(account: str, model: str):
    with pytest.raises(WrongInputError, match="is no"):
        Pool(account, model)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["limits", "set", "deepseek-flash", "--concurrency", "99999999999999999999"], "1000000"),
        (["limits", "set", "deepseek-flash", "--concurrency", "-1"], "greater than or equal to 0"),
        (["limits", "set", "deepseek-flash"], "nothing to set: give a limit"),
        (["limits", "set", "--rpm", "5"], "limits are a model's: name one"),
        (["limits", "set", "a b", "--rpm", "5"], "'a b' is no model"),
        (["limits", "relearn"], "Missing argument 'MODEL'"),
        (["tenant", "set", "billing", "--day", "inf"], "less than or equal to 1000000"),
        (["tenant", "set", "billing", "--day", "1e-10"], "give at least 0.000001, or 0 to take it away"),
        (["tenant", "set", "billing", "--weight", "1e-9"], "give at least 0.001000"),
        (["tenant", "set", "b b", "--day", "1"], "'b b' is no tenant"),
        (["usage", "--by", "nonsense"], "give some of tenant, model, day"),
    ],
)
def test_a_limit_that_can_not_be_meant_is_refused_with_one_sentence(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.delenv("REDIS_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    assert status_of(arguments) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert told.count("\n") == 1
