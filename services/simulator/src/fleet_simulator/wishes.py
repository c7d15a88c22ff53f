"""Faults and settings as JSON, for the control surface: read with care, refused in words."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, cast

from fleet_simulator.config import Account, Lengths, SimulatorConfig, Timing
from fleet_simulator.faults import Armed, Fault, Kind, Match

Json = Mapping[str, Any]

_NUMBERS = frozenset({"probability", "for_seconds", "seconds", "tokens_per_second"})
_WHOLE_NUMBERS = frozenset(
    {"times", "seed", "after_chunks", "status", "reasoning_tokens", "content_tokens", "events", "size"}
)
_TEXTS = frozenset({"retry_after", "body", "content_type", "finish_reason"})
_CHANGEABLE = ("accounts", "limits", "timing", "lengths", "speed", "trailing_usage")


def fault_of(document: Json) -> Fault:
    """The fault that a JSON object describes.

    Raises:
        ValueError: A field is unknown or missing; the text lists the known ones.
    """
    _check_names(document, Fault)
    given = dict(document)
    given["kind"] = _kind(given.get("kind"))
    if "match" in given:
        _check_names(given["match"], Match)
        given["match"] = Match(**given["match"])
    _check_numbers(given)
    if "sizes" in given:
        given["sizes"] = _sizes(given["sizes"])
    return Fault(**given)


def fault_document(armed: Armed) -> dict[str, object]:
    """A fault in force as JSON, with how often it has struck."""
    match = {f.name: v for f in fields(Match) if (v := getattr(armed.fault.match, f.name)) is not None}
    return {
        "id": armed.id,
        "kind": armed.fault.kind.value,
        "match": match,
        "times": armed.fault.times,
        "seen": armed.seen,
        "fired": armed.fired,
    }


def changed(config: SimulatorConfig, document: Json) -> SimulatorConfig:
    """The configuration with the parts named in a JSON object changed; `timing` and `limits` are merged.

    Raises:
        ValueError: A field is unknown or cannot be changed while the simulator runs.
    """
    unknown = document.keys() - set(_CHANGEABLE)
    if unknown:
        raise ValueError(f"cannot change {sorted(unknown)}: use one of {list(_CHANGEABLE)}")
    readers: Mapping[str, Callable[[Any], object]] = {
        "accounts": _accounts,
        "limits": lambda given: {**config.limits, **given},
        "timing": lambda given: _merged(config.timing, given, Timing),
        "lengths": lambda given: _merged(config.lengths, _pairs(given), Lengths),
        "speed": float,
        "trailing_usage": bool,
    }
    return replace(config, **{name: readers[name](given) for name, given in document.items()})


def config_document(config: SimulatorConfig) -> dict[str, object]:
    """The configuration as JSON, without the keys of the accounts."""
    return {
        "accounts": [
            {"name": a.name, "limits": dict(a.limits), "balance": a.balance} for a in config.accounts
        ],
        "limits": dict(config.limits),
        "timing": {f.name: getattr(config.timing, f.name) for f in fields(Timing)},
        "lengths": {f.name: getattr(config.lengths, f.name) for f in fields(Lengths)},
        "speed": config.speed,
        "trailing_usage": config.trailing_usage,
    }


def _kind(given: object) -> Kind:
    try:
        return Kind(cast("str", given))
    except ValueError:
        raise ValueError(f"unknown kind {given!r}: use one of {[kind.value for kind in Kind]}") from None


def _check_numbers(given: Mapping[str, object]) -> None:
    for name in _NUMBERS & given.keys():
        if not isinstance(given[name], int | float) or cast("float", given[name]) < 0:
            raise ValueError(f"{name} must be a number from 0 up")
    for name in _WHOLE_NUMBERS & given.keys():
        if not isinstance(given[name], int) or cast("int", given[name]) < 0:
            raise ValueError(f"{name} must be a whole number from 0 up")
    for name in _TEXTS & given.keys():
        if not isinstance(given[name], str):
            raise ValueError(f"{name} must be a string")  # noqa: TRY004 - one error for all bad documents


def _sizes(given: Any) -> tuple[int, ...]:
    sizes = tuple(int(size) for size in given)
    if not sizes or min(sizes) < 1:
        raise ValueError("sizes must be a list of numbers from 1 up")
    return sizes


def _accounts(given: Any) -> tuple[Account, ...]:
    for account in given:
        _check_names(account, Account)
    return tuple(replace(Account(**account), keys=tuple(account["keys"])) for account in given)


def _pairs(given: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    return {name: (int(ends[0]), int(ends[1])) for name, ends in given.items()}


def _merged(current: Any, given: Json, kind: type) -> Any:
    _check_names(given, kind)
    return replace(current, **given)


def _check_names(document: object, kind: Any) -> None:
    if not isinstance(document, dict):
        raise ValueError(f"{kind.__name__} must be a JSON object")  # noqa: TRY004 - one error for all bad documents
    known = [f.name for f in fields(kind)]
    unknown = cast("dict[str, object]", document).keys() - set(known)
    if unknown:
        raise ValueError(f"{kind.__name__} has no {sorted(unknown)}: use {known}")
