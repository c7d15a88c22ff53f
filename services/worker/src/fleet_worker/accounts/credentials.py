"""Each account's key, and how its calls are authorised with it."""

from pathlib import Path

from fleet_chassis.clock import Clock
from fleet_chassis.logging import get_log
from fleet_chassis.settings import SettingsError, variable
from fleet_worker.accounts.plan import AccountPlan, UpstreamPlan
from fleet_worker.accounts.reading import KEY_VARIABLE
from fleet_worker.deepseek.auth import Auth, KeyAuth, SessionAuth
from fleet_worker.deepseek.exchange import Tokens
from fleet_worker.deepseek.keys import FixedKey, KeyFile, Keys
from fleet_worker.deepseek.transport import HttpClient
from fleet_worker.settings import WorkerSettings


def keys_of(account: AccountPlan, settings: WorkerSettings, clock: Clock) -> Keys:
    """Where an account's key comes from.

    Raises:
        SettingsError: it has none that can be used; the text says what to do.
    """
    try:
        if path := account.key_file or _mounted(account, settings):
            return KeyFile(Path(path), clock, get_log("keys").bind(account=account.name))
        return FixedKey(_from_environment(account, settings))
    except ValueError as error:
        raise SettingsError(f"Account {account.name} can't be used: {error}.") from error


def auth_of_account(upstream: UpstreamPlan, keys: Keys, http: HttpClient, clock: Clock) -> Auth:
    """How calls are authorised: by the key, or by the token that it is exchanged for through `http`."""
    if upstream.exchange is None:
        return KeyAuth(keys)
    return SessionAuth(Tokens(http, upstream.exchange.exchange(), keys, clock))


def _mounted(account: AccountPlan, settings: WorkerSettings) -> Path | None:
    """The file that a variable's value comes from, where it comes from FLEET_SECRETS_DIR: it may change."""
    if settings.secrets_dir is None or account.key_env is None or variable(account.key_env):
        return None
    path = settings.secrets_dir / account.key_env
    own = settings.deepseek_api_key.get_secret_value() if account.key_env == KEY_VARIABLE else ""
    if own and path.is_file() and path.read_text().strip() != own.strip():
        return None  # a file of settings goes before it
    return path if path.is_file() else None


def _from_environment(account: AccountPlan, settings: WorkerSettings) -> str:
    if account.key_env is None:
        return ""
    # A file of settings may hold this one, so it is not always in the environment itself.
    own = settings.deepseek_api_key.get_secret_value() if account.key_env == KEY_VARIABLE else ""
    key = (own or variable(account.key_env) or "").strip()
    if not key:
        raise ValueError(
            f"the variable {account.key_env} holds no key: set it, or name another one in key_env"
        )
    return key
