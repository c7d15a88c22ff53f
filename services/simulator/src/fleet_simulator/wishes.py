"""Faults as JSON, for the control surface: read with care, refused in words."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

from fleet_simulator.faults import Armed, Fault, Kind, Match

Json = Mapping[str, Any]

_NUMBERS = frozenset({"probability", "for_seconds", "seconds", "tokens_per_second"})
_WHOLE_NUMBERS = frozenset(
    {"times", "seed", "after_chunks", "status", "reasoning_tokens", "content_tokens", "events", "size"}
)
_TEXTS = frozenset({"retry_after", "body", "content_type", "finish_reason"})


def fault_of(document: Json) -> Fault:
    """The fault that a JSON object describes.

    Raises:
        ValueError: A field is unknown or missing; the text lists the known ones.
    """
    check_names(document, Fault)
    given = dict(document)
    given["kind"] = _kind(given.get("kind"))
    if "match" in given:
        check_names(given["match"], Match)
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


def check_names(document: object, kind: Any) -> None:
    """Refuse what is no object, or has a field that the dataclass `kind` does not have.

    Raises:
        ValueError: The text lists the known fields.
    """
    if not isinstance(document, dict):
        raise ValueError(f"{kind.__name__} must be a JSON object")  # noqa: TRY004 - one error for all bad documents
    known = [f.name for f in fields(kind)]
    unknown = cast("dict[str, object]", document).keys() - set(known)
    if unknown:
        raise ValueError(f"{kind.__name__} has no {sorted(unknown)}: use {known}")
