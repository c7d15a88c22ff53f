import pytest

from fleet_chassis.settings import SettingsError, read_settings
from fleet_worker.settings import WorkerSettings

NEEDED = {"AMQP_URL": "amqp://guest:guest@localhost/", "DEEPSEEK_API_KEY": "sk-CANARY"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_a_worker_needs_only_the_broker_and_the_key(environment: pytest.MonkeyPatch):
    del environment
    settings = read_settings(WorkerSettings)
    assert settings.deepseek_base_url == "https://api.deepseek.com"
    assert settings.concurrency == 200


def test_a_missing_setting_is_named_as_the_environment_spells_it(environment: pytest.MonkeyPatch):
    environment.delenv("DEEPSEEK_API_KEY")
    with pytest.raises(SettingsError, match=r"^DEEPSEEK_API_KEY is not set; set it in the environment\.$"):
        read_settings(WorkerSettings)


def test_a_wrong_setting_says_what_is_wrong_with_it(environment: pytest.MonkeyPatch):
    environment.setenv("FLEET_CONCURRENCY", "many")
    with pytest.raises(SettingsError, match=r"^FLEET_CONCURRENCY is wrong: input should be a valid integer"):
        read_settings(WorkerSettings)


def test_secrets_are_neither_printed_nor_told_in_errors(environment: pytest.MonkeyPatch):
    assert "CANARY" not in repr(read_settings(WorkerSettings))
    environment.setenv("DEEPSEEK_BASE_URL", "CANARY not a url")
    with pytest.raises(SettingsError) as caught:
        read_settings(WorkerSettings)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("url", ["garbage", "http://host/", "localhost:5672", ""])
def test_an_url_that_speaks_no_amqp_is_told_how_one_looks(environment: pytest.MonkeyPatch, url: str):
    environment.setenv("AMQP_URL", url)
    with pytest.raises(SettingsError, match=r"^AMQP_URL is wrong: it must start with amqp://") as caught:
        read_settings(WorkerSettings)
    assert "Value error" not in str(caught.value)


def test_trusted_users_are_separated_by_commas(environment: pytest.MonkeyPatch):
    environment.setenv("FLEET_TRUSTED_USERS", "gateway, janitor,")
    assert read_settings(WorkerSettings).trusted() == frozenset({"gateway", "janitor"})
