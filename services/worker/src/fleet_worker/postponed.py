"""A request that can't go on now: put aside for a known time, it spends neither delivery nor attempt."""

from dataclasses import dataclass
from enum import StrEnum

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError

OF_THE_ACCOUNT = frozenset({ErrorCode.UNAUTHORIZED, ErrorCode.INSUFFICIENT_BALANCE})
"""Refusals that meet every request of the account alike, and are no request's fault."""


class Reason(StrEnum):
    """Why a request is put aside: a closed set, for logs and metrics."""

    BUSY = "busy"
    """Another worker has it in hand."""
    BREAKER = "breaker"
    """The upstream fails on this model, for every worker."""
    PAUSED = "paused"
    """The account is out of balance, or its key is refused."""
    THROTTLED = "throttled"
    """The limiter expects a wait too long for a delivery to be held."""
    CONVERSATION = "conversation"
    """Another turn of its conversation is under way."""
    RETRY_AFTER = "retry_after"
    """The upstream said when to come again."""
    TURNED_AWAY = "turned_away"
    """The upstream is full or overloaded, or this worker is, again and again."""
    NOT_YET = "not_yet"
    """Its rung was shorter than its wait: another round."""


@dataclass(eq=False)
class PostponedError(Exception):
    """Raised by a port; the handler gives the claim back and parks the request."""

    reason: Reason
    wait_s: float
    """Seconds after which it is worth going on."""
    otherwise: CompletionError | None = None
    """How the request fails where it can't wait so long; `deadline_exceeded` where this says nothing."""
    turned_away: int = 0
    """How many of its calls were turned away until now, over all workers."""
