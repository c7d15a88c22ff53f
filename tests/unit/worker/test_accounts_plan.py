"""The accounts file: what it may say, and what is said about mistakes in it."""

import json
from pathlib import Path
from typing import Any

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.settings import SettingsError
from fleet_worker.accounts.credentials import keys_of
from fleet_worker.accounts.plan import Plan
from fleet_worker.accounts.reading import plan_of, read_plan
from fleet_worker.accounts.terms import limits_of, prices_of
from fleet_worker.limiter import Rules
from harness.house import worker_settings

ROOT = Path(__file__).parents[3]
USAGE = {"prompt_tokens": 1000, "completion_tokens": 1000}


def written(folder: Path, text: str, name: str = "accounts.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def mistake(folder: Path, text: str, name: str = "accounts.toml") -> str:
    with pytest.raises(SettingsError) as caught:
        read_plan(written(folder, text, name))
    assert "CANARY" not in f"{caught.value} {caught.value.__cause__}"
    return str(caught.value).replace(f"{folder}/", "")


def settings(**changes: Any) -> Any:
    return worker_settings("amqp://here/", "http://upstream.test", **changes)


def test_one_key_in_the_environment_needs_no_file():
    plan = plan_of(settings())
    assert [account.name for account in plan.accounts] == ["default"]
    assert plan.upstream_of(plan.accounts[0]).base_url == "http://upstream.test"
    assert keys_of(plan.accounts[0], settings(), SystemClock()).current() == "sk-simulator"


def test_a_key_file_goes_before_the_key_itself(tmp_path: Path):
    told = settings(DEEPSEEK_API_KEY_FILE=str(written(tmp_path, "sk-of-file\n", "key")))
    assert keys_of(plan_of(told).accounts[0], told, SystemClock()).current() == "sk-of-file"


def test_the_example_of_the_documentation_can_be_read():
    plan = read_plan(ROOT / "deploy/accounts.toml")
    assert len(plan.accounts) >= 2
    assert len(plan.upstreams) >= 2


def test_the_same_plan_can_be_written_as_json(tmp_path: Path):
    as_toml = '[[accounts]]\nname = "a"\nkey_env = "KEY_A"\nlimits.concurrency = 7\n'
    as_json = json.dumps({"accounts": [{"name": "a", "key_env": "KEY_A", "limits": {"concurrency": 7}}]})
    assert read_plan(written(tmp_path, as_toml)) == read_plan(written(tmp_path, as_json, "accounts.json"))


A = '[[accounts]]\nname = "a"\nkey_env = "A"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "accounts.toml: accounts is missing; add it."),
        ("accounts = []", "accounts.toml: accounts: tuple should have at least 1 item"),
        ("[[accounts]]\nname = CANARY", "accounts.toml is no TOML (line 2, column 8); correct it there."),
        (
            '[[accounts]]\nname = "a"\n',
            "account a has no key: name its file (key_file) or variable (key_env)",
        ),
        (f"{A}{A}", "two accounts are named a: give each a name of its own"),
        (f'{A}key = "sk-CANARY"\n', "a key must not stand here: name its file (key_file) or variable"),
        (f'{A}key_file = "f"\n', "account a has key_file and key_env: take one of them away"),
        (f"{A}wait = 3\n", "accounts.toml: accounts.0.wait is no setting of an accounts file"),
        (f"{A}weight = -1\n", "accounts.toml: accounts.0.weight: input should be greater than or equal to 0"),
        (
            f'{A}upstream = "own"\n',
            "account a names the upstream own, which is not there: add [upstreams.own]",
        ),
        (f'{A}[upstreams.own]\nbase_url = "http://h/v1"\n', "upstream own has no account: add [[accounts]]"),
        (
            '[[accounts]]\nname = "a"\nupstream = "own"\n[upstreams.own]\nkind = "vllm"\n',
            "upstream own has no base_url",
        ),
        (f'{A}[models]\nm = ["other"]\n', "model m names the upstream other, which has no account"),
        (f"{A}[models]\nm = []\n", "model m has no upstream: name one"),
        (
            f'{A}[upstreams.deepseek]\nkind = "ollama"\n',
            "upstreams.deepseek.kind: input should be 'deepseek'",
        ),
        (f'{A}[upstreams.deepseek]\nbase_url = "ftp://CANARY"\n', "it must start with http:// or https://"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(tmp_path: Path, text: str, told: str):
    assert told in mistake(tmp_path, text)


def test_a_missing_or_broken_file_is_told_in_a_sentence(tmp_path: Path):
    assert "accounts.json is no JSON (line 1, column 2)" in mistake(tmp_path, "{CANARY", "accounts.json")
    with pytest.raises(SettingsError, match=r"nowhere can't be read \(No such file"):
        read_plan(tmp_path / "nowhere")


def test_a_variable_without_a_key_is_named(monkeypatch: pytest.MonkeyPatch):
    plan = Plan.model_validate({"accounts": [{"name": "a", "key_env": "KEY_OF_A"}]})
    with pytest.raises(SettingsError, match=r"Account a can't be used: the variable KEY_OF_A holds no key"):
        keys_of(plan.accounts[0], settings(), SystemClock())
    monkeypatch.setenv("KEY_OF_A", "sk-a")
    assert keys_of(plan.accounts[0], settings(), SystemClock()).current() == "sk-a"


def test_an_accounts_own_limits_go_before_the_fleets():
    plan = Plan.model_validate(
        {"accounts": [{"name": "a", "key_env": "A", "limits": {"rpm": 7}}, {"name": "b", "key_env": "B"}]}
    )
    rules = Rules(accounts=limits_of(plan), concurrency=50, rpm=100)
    limits = rules.limits_of(rules.pool("deepseek-flash", "a"))
    assert (limits.concurrency, limits.rpm) == (50, 7)
    assert rules.limits_of(rules.pool("deepseek-flash", "b")).rpm == 100


def test_each_upstream_has_its_prices_or_none(tmp_path: Path):
    own = (ROOT / "services/worker/src/fleet_worker/prices.json").read_text().replace('"0.60"', '"60"')
    plan = Plan.model_validate(
        {
            "accounts": [
                {"name": "a", "key_env": "A"},
                {"name": "b", "upstream": "own"},
                {"name": "c", "key_env": "C", "upstream": "dear"},
            ],
            "upstreams": {
                "own": {"kind": "vllm", "base_url": "http://h/v1"},
                "dear": {"base_url": "http://d", "prices": str(written(tmp_path, own, "prices.json"))},
            },
        }
    )
    prices = prices_of(plan, settings())
    published = prices.of("a").cost_nano("deepseek-flash", USAGE, 0)
    dear = prices.of("c").cost_nano("deepseek-flash", USAGE, 0)
    assert published is not None
    assert dear is not None
    assert dear > published > 0
    assert prices.of("b").cost_nano("deepseek-flash", USAGE, 0) is None
    assert prices.of("b").worst_nano("deepseek-flash", 1000, 1000, 0, 1) == 0


def test_a_key_in_the_folder_of_secrets_is_read_again_when_it_changes(tmp_path: Path):
    secret = written(tmp_path, "sk-of-folder", "DEEPSEEK_API_KEY")
    told = settings(DEEPSEEK_API_KEY="sk-of-folder", secrets_dir=tmp_path)
    keys = keys_of(plan_of(told).accounts[0], told, SystemClock())
    secret.write_text("sk-newer")
    assert keys.newer_than("sk-of-folder") == "sk-newer"


def test_a_key_that_is_set_goes_before_the_folder_of_secrets(tmp_path: Path):
    written(tmp_path, "sk-of-folder", "DEEPSEEK_API_KEY")
    told = settings(DEEPSEEK_API_KEY="sk-set", secrets_dir=tmp_path)
    assert keys_of(plan_of(told).accounts[0], told, SystemClock()).current() == "sk-set"
