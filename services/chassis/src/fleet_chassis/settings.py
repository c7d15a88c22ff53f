"""Settings: read from the environment once, at start, and refused with a sentence where they are wrong."""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """A setting is missing or wrong. The text names it and says what to do."""


def _speaks_amqp(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("amqp://", "amqps://")):
        raise ValueError("it must start with amqp:// or amqps://, as in amqp://user:password@host:5672/vhost")
    return url


AmqpUrl = Annotated[SecretStr, AfterValidator(_speaks_amqp)]


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
    log_format: str = Field(
        default="auto",
        pattern="^(auto|console|json)$",
        description="console, json, or auto: console on a terminal, json elsewhere",
    )
    log_level: str = Field(
        default="info",
        pattern="^(debug|info|warning|error)$",
        description="The least serious level that is logged",
    )


Settings = TypeVar("Settings", bound=BaseSettings)


def read_settings(kind: type[Settings], file: Path | None = None) -> Settings:
    """The settings of `kind` from the environment, and from `file` (lines `NAME=value`) where given.

    Raises:
        SettingsError: a setting is missing or wrong; the text has one sentence for each.
    """
    try:
        return kind(_env_file=file)  # pyright: ignore[reportCallIssue]  # pydantic-settings adds _env_file
    except ValidationError as error:
        raise SettingsError(_sentences(kind, error)) from error


def _sentences(kind: type[BaseSettings], error: ValidationError) -> str:
    return " ".join(
        _sentence(variable_name(kind, str(detail["loc"][0])), detail["type"], detail["msg"])
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
