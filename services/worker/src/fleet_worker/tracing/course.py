"""What the spans of one request have to know of one another, while it is in work."""

from contextvars import ContextVar
from dataclasses import dataclass

from fleet_worker.tracing.spans import Span


@dataclass(slots=True)
class Course:
    """How far a request has come in this worker."""

    span: Span
    """The span of all its work here."""
    attempt: int = 0
    calls: int = 0
    """Upstream calls of that attempt: those that go on from its text belong to it too."""
    void: str | None = None
    """Why the text of earlier attempts is void."""


current: ContextVar[Course] = ContextVar("fleet_course")
"""Of the task that has the request in work."""
