"""The terminal reply of a request: composed once, stored and published as the same bytes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Terminal:
    """One `result` or `failure`, encoded."""

    kind: Literal["result", "failure"]
    fleet_id: str
    attempt: int
    body: bytes
    outcome: str = "result"
    """`result`, or the failure's code: for logs and metrics."""
