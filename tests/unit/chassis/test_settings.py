from pathlib import Path

import pytest

from fleet_chassis.settings import SettingsError, read_settings, secrets_in
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
    with pytest.raises(
        SettingsError, match=r"^DEEPSEEK_API_KEY is not set; set it in the environment, or .*\.$"
    ):
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


@pytest.mark.parametrize(
    "url", ["garbage", "http://host/", "localhost:5672", "amqp://host:port/", "amqp://", ""]
)
def test_an_url_that_speaks_no_amqp_is_told_how_one_looks(environment: pytest.MonkeyPatch, url: str):
    environment.setenv("AMQP_URL", url)
    with pytest.raises(SettingsError, match=r"^AMQP_URL is wrong: it must start with amqp://") as caught:
        read_settings(WorkerSettings)
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["garbage", "http://host/", "localhost:6379", "redis://host:port/0", "redis://"]
)
def test_an_url_of_no_store_is_told_how_one_looks(environment: pytest.MonkeyPatch, url: str):
    environment.setenv("REDIS_URL", url)
    with pytest.raises(SettingsError, match=r"^REDIS_URL is wrong: it must start with redis://"):
        read_settings(WorkerSettings)


def test_trusted_users_are_separated_by_commas(environment: pytest.MonkeyPatch):
    environment.setenv("FLEET_TRUSTED_USERS", "gateway, janitor,")
    assert read_settings(WorkerSettings).trusted() == frozenset({"gateway", "janitor"})


@pytest.mark.parametrize("name", ["DEEPSEEK_BASE_URL", "DEEPSEEK_BETA_URL"])
@pytest.mark.parametrize("url", ["api.deepseek.com", "ftp://host/", "https://a b/", ""])
def test_an_url_that_speaks_no_http_is_told_how_one_looks(
    environment: pytest.MonkeyPatch, name: str, url: str
):
    environment.setenv(name, url)
    with pytest.raises(SettingsError, match=f"^{name} is wrong: it must start with http:// or https://"):
        read_settings(WorkerSettings)


def test_a_choice_that_is_none_is_told_the_choices(environment: pytest.MonkeyPatch):
    environment.setenv("FLEET_LOG_FORMAT", "yaml")
    with pytest.raises(
        SettingsError, match=r"^FLEET_LOG_FORMAT is wrong: input should be 'auto', 'console' or"
    ):
        read_settings(WorkerSettings)


def test_a_misspelt_setting_is_told_and_not_left_without_effect(environment: pytest.MonkeyPatch):
    environment.setenv("FLEET_CONCURENCY", "3")
    told = r"^FLEET_CONCURENCY is no setting: did you mean FLEET_CONCURRENCY\?$"
    with pytest.raises(SettingsError, match=told):
        read_settings(WorkerSettings)


def test_what_is_meant_for_others_is_left_alone(environment: pytest.MonkeyPatch):
    environment.setenv("FLEET_CONSOLE_COLOUR", "blue")
    assert read_settings(WorkerSettings).concurrency == 200


def test_a_file_of_settings_is_read_and_the_environment_goes_before_it(
    environment: pytest.MonkeyPatch, tmp_path: Path
):
    file = tmp_path / "settings.env"
    file.write_text("# ours\nFLEET_CONCURRENCY=3\nFLEET_DRAIN_S=7\n")
    environment.setenv("FLEET_CONCURRENCY", "4")
    settings = read_settings(WorkerSettings, file)
    assert (settings.concurrency, settings.drain_s) == (4, 7)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"FLEET_DRAIN_S\n", "FLEET_DRAIN_S has no value in "),
        (b"FLEET_DRAINS=7\n", "FLEET_DRAINS is no setting: did you mean FLEET_DRAIN_S?"),
        (b"\xff\xfe\x00", "settings.env is no UTF-8 text: write one NAME=value a line."),
    ],
)
@pytest.mark.usefixtures("environment")
def test_a_file_that_can_not_be_meant_is_refused(content: bytes, sentence: str, tmp_path: Path):
    file = tmp_path / "settings.env"
    file.write_bytes(content)
    with pytest.raises(SettingsError) as refused:
        read_settings(WorkerSettings, file)
    assert sentence in str(refused.value)


def test_secrets_come_as_files_named_like_their_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in NEEDED.items():
        (tmp_path / name).write_text(f"{value}\n")
    (tmp_path / "..data").mkdir()
    monkeypatch.setenv("FLEET_SECRETS_DIR", str(tmp_path))
    settings = read_settings(WorkerSettings)
    assert settings.deepseek_api_key.get_secret_value() == "sk-CANARY"
    assert secrets_in(str(tmp_path)) == NEEDED
    monkeypatch.setenv("DEEPSEEK_API_KEY", "sk-mine")
    assert read_settings(WorkerSettings).deepseek_api_key.get_secret_value() == "sk-mine"


def test_secrets_that_are_not_there_are_told(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    environment.setenv("FLEET_SECRETS_DIR", missing)
    with pytest.raises(SettingsError, match=r"^FLEET_SECRETS_DIR is wrong: .*none is no folder"):
        read_settings(WorkerSettings)
    with pytest.raises(SettingsError, match=r"^FLEET_SECRETS_DIR is wrong"):
        secrets_in(missing)
