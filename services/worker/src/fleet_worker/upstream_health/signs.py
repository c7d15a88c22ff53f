"""Pure: what the end of a call says about the upstream's health."""

from enum import StrEnum

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError


class Sign(StrEnum):
    """A closed set."""

    WELL = "well"
    """It answered, be it a refusal of this one request."""
    ILL = "ill"
    """It was overloaded, unreachable, silent, or broke off."""
    NONE = "none"
    """The end had other reasons, such as the request's own deadline."""


_ILL = frozenset({ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UPSTREAM_TIMEOUT, ErrorCode.UPSTREAM_INTERRUPTED})
_WELL = frozenset({ErrorCode.UPSTREAM_REJECTED, ErrorCode.TOO_LARGE, ErrorCode.RATE_LIMITED})


def sign_of(error: CompletionError | None) -> Sign:
    """What a call's end says; None for a whole answer. An account's trouble says nothing of a model."""
    if error is None or error.code in _WELL:
        return Sign.WELL
    if error.code in _ILL:
        return Sign.ILL if error.blames_upstream else Sign.WELL
    return Sign.NONE
