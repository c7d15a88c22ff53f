"""The terminal reply of a request: composed once, stored and published as the same bytes."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["result", "failure", "history"]


@dataclass(frozen=True, slots=True)
class Terminal:
    """One `result`, `failure` or `history`, encoded."""

    kind: Kind
    fleet_id: str
    attempt: int
    body: bytes
    outcome: str = "result"
    """`result`, `history`, or the failure's code: for logs and metrics."""
