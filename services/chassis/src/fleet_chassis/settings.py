"""Settings: read from the environment once, at start, and refused with a sentence where they are wrong."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from fleet_chassis.amqp_url import place_of

SECRETS_DIR = "FLEET_SECRETS_DIR"
ALIKE = 0.9
"""How like a setting a name has to be to be taken for a misspelt one: one or two letters."""


class SettingsError(Exception):
    """A setting is missing or wrong. The text names it and says what to do."""


def _speaks_amqp(url: SecretStr) -> SecretStr:
    place_of(url.get_secret_value())
    return url


def _speaks_http(url: str) -> str:
    if not url.startswith(("http://", "https://")) or any(character.isspace() for character in url):
        raise ValueError("it must start with http:// or https://, as in https://api.deepseek.com")
    return url


AmqpUrl = Annotated[SecretStr, AfterValidator(_speaks_amqp)]
HttpUrl = Annotated[str, AfterValidator(_speaks_http)]


class ServiceSettings(BaseSettings):
    """What every service of the fleet reads. Conventional names as they are, `FLEET_` for the rest."""

    model_config = SettingsConfigDict(
        env_prefix="FLEET_",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )

    amqp_url: AmqpUrl = Field(
        validation_alias="AMQP_URL",
        description="The broker, as in amqp://user:password@host:5672/vhost",
    )
    secrets_dir: Path | None = Field(
        default=None,
        description="A folder with a file for each secret, named as its variable, as Kubernetes mounts them; "
        "a variable that is set goes before its file",
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto",
        description="console, json, or auto: console on a terminal, json elsewhere",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="The least serious level that is logged",
    )
    log_content: bool = Field(
        default=False,
        description="true: prompts, answers and the texts of errors are logged too; for tests, where nobody "
        "writes a secret",
    )


Given = Mapping[str, str | None]
"""Variables by their names in small letters; None where a line of a file has no value."""
Settings = TypeVar("Settings", bound=BaseSettings)


def read_settings(kind: type[Settings], file: Path | None = None) -> Settings:
    """The settings of `kind` from the environment, from `file` (lines `NAME=value`), from files of secrets.

    Raises:
        SettingsError: a setting is missing, wrong or misspelt; the text has one sentence for each.
    """
    try:
        environment, from_file = EnvSettingsSource(kind).env_vars, _lines_of(kind, file)
        if told := " ".join(_misspelt(kind, environment, from_file, file)):
            raise SettingsError(told)
        folder = _secrets_dir({**from_file, **environment})
        # pydantic-settings adds these two arguments.
        return kind(_env_file=file, _secrets_dir=folder)  # pyright: ignore[reportCallIssue]
    except ValidationError as error:
        raise SettingsError(_sentences(kind, error)) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{file} is no UTF-8 text: write one NAME=value a line.") from error


def secrets_in(folder: str) -> dict[str, str]:
    """The secrets in a folder, by the names of their files; hidden files are none.

    Raises:
        SettingsError: it is no folder, or a file in it can't be read.
    """
    try:
        files = [file for file in Path(folder).iterdir() if file.is_file() and file.name[0] != "."]
        return {file.name: file.read_text().strip() for file in files}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(_no_secrets(folder)) from error


def _lines_of(kind: type[BaseSettings], file: Path | None) -> Given:
    return {} if file is None else DotEnvSettingsSource(kind, env_file=file).env_vars


def _secrets_dir(given: Given) -> str | None:
    folder = given.get(SECRETS_DIR.lower())
    if folder and not Path(folder).is_dir():
        raise SettingsError(_no_secrets(folder))
    return folder or None


def _no_secrets(folder: str) -> str:
    return f"{SECRETS_DIR} is wrong: {folder} is no folder of files that can be read; correct or unset it."


def variable(name: str) -> str | None:
    """An environment variable that is named in a file of settings; None where it is not set."""
    return os.environ.get(name)  # noqa: TID251  # this is where the environment is read


def _misspelt(
    kind: type[BaseSettings], environment: Given, from_file: Given, file: Path | None
) -> Iterator[str]:
    """A sentence for each name that is almost a setting, which would change nothing and say nothing."""
    prefix = kind.model_config.get("env_prefix", "")
    known = {variable_name(kind, field) for field in kind.model_fields}
    for name in sorted(name.upper() for name in {*environment, *from_file}):
        meant = get_close_matches(name, known, 1, ALIKE) if name.startswith(prefix) else []
        if meant and name not in known:
            yield f"{name} is no setting: did you mean {meant[0]}?"
    for name in sorted(name.upper() for name, value in from_file.items() if value is None):
        yield f"{name} has no value in {file}: write it as {name}=value."


def _sentences(kind: type[BaseSettings], error: ValidationError) -> str:
    return " ".join(
        _sentence(variable_name(kind, str(detail["loc"][0])), detail["type"], detail["msg"])
        if detail["loc"]
        else f"{detail['msg'].removeprefix('Value error, ')}."
        for detail in error.errors(include_input=False, include_url=False, include_context=False)
    )


def _sentence(variable: str, problem: str, message: str) -> str:
    if problem == "missing":
        return f"{variable} is not set; set it in the environment."
    reason = message.removeprefix("Value error, ")
    return f"{variable} is wrong: {reason[:1].lower()}{reason[1:]}."


def variable_name(kind: type[BaseSettings], field: str) -> str:
    """The environment variable of a field."""
    info = kind.model_fields.get(field)
    alias = info.validation_alias if info else None
    if isinstance(alias, str):
        return alias
    prefix = kind.model_config.get("env_prefix", "")
    return field if info is None else f"{prefix}{field}".upper()
