"""Pure: what the end of a call says about the limits."""

import random
import re

from fleet_worker.completion import CompletionError
from fleet_worker.limiter.terms import Ended

_TOO_MANY_REQUESTS = 429
_OVERLOADED = 503
_CONCURRENCY_LIMIT = re.compile(r"concurrency limit of (\d{1,9})", re.IGNORECASE)
_RATE = re.compile(r"\b(?:TPM|RPM|tokens per min|requests per min)", re.IGNORECASE)
_OVERLOADED_S = (1.0, 5.0)
_RATED_S = (1.0, 2.0)
LONGEST_COOL_DOWN_S = 300.0


def lesson_of(error: CompletionError | None, chance: random.Random) -> tuple[Ended, int, int]:
    """How a call ended, the limit its refusal named (0 for none), and for how many ms nobody should call.

    DeepSeek names the limit only in the text of its 429 ("Your current concurrency is 26, which exceeds your
    concurrency limit of 25 based on your remaining balance"); too many calls at once need no pause, for the
    next call may begin as soon as another one ends. An overloaded provider and spent rates do.
    """
    if error is None:
        return Ended.ANSWERED, 0, 0
    upstream = error.upstream
    status, text = (upstream.status, upstream.message or "") if upstream else (None, "")
    asked_s = error.retry_after_s or 0.0
    if status == _TOO_MANY_REQUESTS:
        told = _CONCURRENCY_LIMIT.search(text)
        if told is None and _RATE.search(text):
            return Ended.RATED, 0, _cool_ms(asked_s or chance.uniform(*_RATED_S))
        return Ended.FULL, max(1, int(told.group(1))) if told else 0, _cool_ms(asked_s)
    if status == _OVERLOADED:
        return Ended.BUSY, 0, _cool_ms(asked_s or chance.uniform(*_OVERLOADED_S))
    return Ended.OTHER, 0, _cool_ms(asked_s)


def _cool_ms(seconds: float) -> int:
    return round(min(seconds, LONGEST_COOL_DOWN_S) * 1000)
