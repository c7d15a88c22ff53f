"""The configuration as JSON, for the control surface: changed in part, shown without keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from fleet_simulator.bursts import Burst
from fleet_simulator.cache import CacheRules
from fleet_simulator.config import Account, Lengths, SimulatorConfig, Timing
from fleet_simulator.curve import Curve
from fleet_simulator.sessions import SessionRules
from fleet_simulator.wishes import check_names

Json = Mapping[str, Any]
Reader = Callable[[SimulatorConfig, Any], object]


def changed(config: SimulatorConfig, document: Json) -> SimulatorConfig:
    """The configuration with the parts named in a JSON object changed.

    `limits`, `timing`, `lengths`, `curve` and `cache` are merged. `balances` gives the named accounts a new
    balance, `keys` other keys; an account that is not named keeps what it has left, and its keys.

    Raises:
        ValueError: A field is unknown or cannot be changed while the simulator runs.
    """
    unknown = document.keys() - _READERS.keys()
    if unknown:
        raise ValueError(f"cannot change {sorted(unknown)}: use one of {list(_READERS)}")
    for name in (name for name in _READERS if name in document):
        value = _READERS[name](config, document[name])
        config = replace(config, **{_FIELDS.get(name, name): value})
    return config


def config_document(config: SimulatorConfig) -> dict[str, object]:
    """The configuration as JSON, without the keys of the accounts."""
    shown = {name: getattr(config, name) for name in _READERS if name not in _FIELDS}
    return {
        **shown,
        "accounts": [_account_document(account) for account in config.accounts],
        "curve": asdict(config.curve),
        "holidays": sorted(config.holidays),
        "timing": asdict(config.timing),
        "lengths": asdict(config.lengths),
        "bursts": [asdict(burst) for burst in config.bursts],
        "cache": asdict(config.cache),
        "sessions": asdict(config.sessions),
    }


def _account_document(account: Account) -> dict[str, object]:
    document = asdict(account)
    del document["keys"]
    return document


def _accounts(_config: SimulatorConfig, given: Any) -> tuple[Account, ...]:
    for account in given:
        check_names(account, Account)
    made = [Account(**account) for account in given]
    return tuple(replace(account, keys=tuple(account.keys)) for account in made)


def _balances(config: SimulatorConfig, given: Mapping[str, str]) -> tuple[Account, ...]:
    _check_known(config, given)
    return tuple(
        replace(account, balance=given[account.name], granted="0.00") if account.name in given else account
        for account in config.accounts
    )


def _keys(config: SimulatorConfig, given: Mapping[str, Sequence[str]]) -> tuple[Account, ...]:
    _check_known(config, given)
    return tuple(
        replace(account, keys=tuple(given[account.name])) if account.name in given else account
        for account in config.accounts
    )


def _check_known(config: SimulatorConfig, given: Json) -> None:
    unknown = given.keys() - {account.name for account in config.accounts}
    if unknown:
        raise ValueError(f"no accounts {sorted(unknown)}: set them in accounts first")


def _limits(config: SimulatorConfig, given: Json) -> dict[str, int]:
    return {**config.limits, **given}


def _curve(config: SimulatorConfig, given: Json) -> object:
    if "points" not in given:
        return _merged(config.curve, given, Curve)
    points = tuple((float(balance), float(share)) for balance, share in given["points"])
    return _merged(config.curve, {**given, "points": points}, Curve)


def _lengths(config: SimulatorConfig, given: Mapping[str, Any]) -> object:
    ends = {name: (int(pair[0]), int(pair[1])) for name, pair in given.items()}
    return _merged(config.lengths, ends, Lengths)


def _bursts(_config: SimulatorConfig, given: Any) -> tuple[Burst, ...]:
    for burst in given:
        check_names(burst, Burst)
    return tuple(Burst(**burst) for burst in given)


def _merged(current: Any, given: Json, kind: type) -> Any:
    check_names(given, kind)
    return replace(current, **given)


_FIELDS = {"balances": "accounts", "keys": "accounts"}
_READERS: Mapping[str, Reader] = {
    "accounts": _accounts,
    "balances": _balances,
    "keys": _keys,
    "limits": _limits,
    "curve": _curve,
    "holidays": lambda _config, given: frozenset(str(day) for day in given),
    "timing": lambda config, given: _merged(config.timing, given, Timing),
    "lengths": _lengths,
    "speed": lambda _config, given: float(given),
    "bursts": _bursts,
    "blank_json": lambda _config, given: float(given),
    "every_reasoning": lambda _config, given: bool(given),
    "cache": lambda config, given: _merged(config.cache, given, CacheRules),
    "sessions": lambda config, given: _merged(config.sessions, given, SessionRules),
    "trailing_usage": lambda _config, given: bool(given),
}
