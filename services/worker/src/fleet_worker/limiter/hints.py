"""Pure: what the end of a call says about the limits."""

import random
import re
from dataclasses import dataclass

from fleet_worker.completion import CompletionError
from fleet_worker.limiter.terms import Ended

_TOO_MANY_REQUESTS = 429
_OVERLOADED = 503
_CONCURRENCY_LIMIT = re.compile(r"concurrency limit of (\d{1,9})", re.IGNORECASE)
_RATE = re.compile(r"\b(?:TPM|RPM|tokens per min|requests per min)", re.IGNORECASE)
_OVERLOADED_S = (0.25, 0.75)
_RATED_S = (1.0, 2.0)
LONGEST_COOL_DOWN_S = 300.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What the end of a call teaches."""

    ended: Ended
    told: int = 0
    """The limit that a refusal named; 0 where it named none."""
    cool_ms: int = 0
    """For how long nobody should call."""
    pause_ms: int = 0
    """For how long nobody should call if many calls end like this one."""


def lesson_of(error: CompletionError | None, chance: random.Random) -> Lesson:
    """What the end of a call says about the limits.

    DeepSeek names the limit only in the text of its 429 ("Your current concurrency is 26, which exceeds your
    concurrency limit of 25 based on your remaining balance"); too many calls at once need no pause, for the
    next call may begin as soon as another one ends. Spent rates do, and so does an overloaded provider, but
    only where it refuses more than now and then: one 503 says nothing about the next call.
    """
    if error is None:
        return Lesson(Ended.ANSWERED)
    upstream = error.upstream
    status, text = (upstream.status, upstream.message or "") if upstream else (None, "")
    asked_s = error.retry_after_s or 0.0
    if status == _TOO_MANY_REQUESTS:
        told = _CONCURRENCY_LIMIT.search(text)
        if told is None and _RATE.search(text):
            return Lesson(Ended.RATED, cool_ms=_in_ms(asked_s or chance.uniform(*_RATED_S)))
        return Lesson(Ended.FULL, max(1, int(told.group(1))) if told else 0, _in_ms(asked_s))
    if status == _OVERLOADED:
        return Lesson(Ended.BUSY, 0, _in_ms(asked_s), _in_ms(chance.uniform(*_OVERLOADED_S)))
    return Lesson(Ended.OTHER, cool_ms=_in_ms(asked_s))


def _in_ms(seconds: float) -> int:
    return round(min(seconds, LONGEST_COOL_DOWN_S) * 1000)
