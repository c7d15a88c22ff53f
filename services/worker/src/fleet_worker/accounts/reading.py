"""Where the plan of accounts comes from: a file, or the settings of the one account that most fleets have."""

import json
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from fleet_chassis.settings import SettingsError
from fleet_worker.accounts.plan import AccountPlan, Plan, UpstreamPlan
from fleet_worker.settings import WorkerSettings

KEY_VARIABLE = "DEEPSEEK_API_KEY"


def plan_of(settings: WorkerSettings) -> Plan:
    """The accounts of a worker.

    Raises:
        SettingsError: the accounts file can't be used; the text has a sentence for each mistake.
    """
    if settings.accounts_file:
        return read_plan(Path(settings.accounts_file))
    # The one account's upstream has its name too: in a shared store each account has breakers of its own.
    upstream = UpstreamPlan(base_url=settings.deepseek_base_url, beta_url=settings.deepseek_beta_url)
    account = AccountPlan(
        name=settings.account,
        upstream=settings.account,
        key_file=settings.deepseek_api_key_file or None,
        key_env=None if settings.deepseek_api_key_file else KEY_VARIABLE,
    )
    return Plan(accounts=(account,), upstreams={settings.account: upstream})


def read_plan(path: Path) -> Plan:
    """The accounts in a file: JSON where its name ends so, TOML otherwise.

    Raises:
        SettingsError: as `plan_of`.
    """
    try:
        return Plan.model_validate(_parsed(path))
    except ValidationError as error:
        raise SettingsError(_sentences(path, error)) from None
    except OSError as error:
        raise SettingsError(
            f"FLEET_ACCOUNTS_FILE is wrong: {path} can't be read ({error.strerror}); put the accounts there."
        ) from error
    except ValueError as error:
        # Without its cause, whose text may quote the file.
        raise SettingsError(
            f"FLEET_ACCOUNTS_FILE is wrong: {path} is no {_form(path)} ({_place(error)}); correct it there."
        ) from None


def _parsed(path: Path) -> Any:
    text = path.read_bytes().decode()
    return json.loads(text) if _form(path) == "JSON" else tomllib.loads(text)


def _form(path: Path) -> str:
    return "JSON" if path.suffix.lower() == ".json" else "TOML"


def _place(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno}"
    if isinstance(error, tomllib.TOMLDecodeError):
        _, _, place = str(error).rpartition("(at ")
        return place.rstrip(")") or "somewhere"
    return "it is no UTF-8 text"


def _sentences(path: Path, error: ValidationError) -> str:
    details = error.errors(include_input=False, include_url=False, include_context=False)
    return " ".join(_sentence(path, detail["loc"], detail["type"], detail["msg"]) for detail in details)


def _sentence(path: Path, where: tuple[int | str, ...], problem: str, message: str) -> str:
    place = ".".join(str(part) for part in where if part != "[key]")
    if problem == "extra_forbidden":
        return f"{path}: {place} is no setting of an accounts file; take it away or correct its name."
    if problem == "missing":
        return f"{path}: {place} is missing; add it."
    reason = message.removeprefix("Value error, ")
    return f"{path}: {f'{place}: ' if place else ''}{reason[:1].lower()}{reason[1:]}."
