"""What the end of a call says about the limits."""

import random

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError, UpstreamAnswer
from fleet_worker.limiter.hints import lesson_of
from fleet_worker.limiter.terms import Ended

CHANCE = random.Random(1)


def refused(status: int, retry_after_s: float | None = None, message: str = "") -> CompletionError:
    answer = UpstreamAnswer(status, None, message)
    return CompletionError(ErrorCode.UPSTREAM_UNAVAILABLE, "refused", True, retry_after_s, answer)  # noqa: FBT003


def test_a_503_cools_nothing_by_itself_and_names_a_short_pause_for_when_there_are_many():
    lessons = [lesson_of(refused(503), CHANCE) for _ in range(50)]
    assert {(lesson.ended, lesson.told, lesson.cool_ms) for lesson in lessons} == {(Ended.BUSY, 0, 0)}
    assert all(250 <= lesson.pause_ms <= 750 for lesson in lessons)
    assert len({lesson.pause_ms for lesson in lessons}) > 10


def test_a_503_that_says_retry_after_is_obeyed():
    assert lesson_of(refused(503, 7.0), CHANCE).cool_ms == 7000


def test_a_429_names_its_limit_and_spent_rates_cool_down():
    full = lesson_of(refused(429, message="exceeds your concurrency limit of 25"), CHANCE)
    assert (full.ended, full.told, full.cool_ms, full.pause_ms) == (Ended.FULL, 25, 0, 0)
    rated = lesson_of(refused(429, message="too many requests per min"), CHANCE)
    assert rated.ended is Ended.RATED
    assert 1000 <= rated.cool_ms <= 2000
