import random

import pytest

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.postponed import PostponedError, Reason
from fleet_worker.replies.outgoing import NotConfirmedError, UnroutableError
from fleet_worker.retrying import Retrying, RetryPolicy
from harness.clock import HandClock


def busy(retry_after_s: float | None = None, *, again: bool = True) -> CompletionError:
    return CompletionError(ErrorCode.UPSTREAM_UNAVAILABLE, "busy", again=again, retry_after_s=retry_after_s)


class Upstream:
    """Fails with each error in turn, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def call(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def retrying(clock: HandClock, policy: RetryPolicy | None = None) -> Retrying:
    return Retrying(policy or RetryPolicy(), clock, random.Random(1))


def far(clock: HandClock) -> Deadline:
    return Deadline(clock.monotonic() + 3600)


async def again(error: CompletionError) -> bool:
    return error.again


async def test_what_may_succeed_again_is_called_again():
    clock, upstream = HandClock(), Upstream(busy(), busy())
    assert await retrying(clock).call(upstream.call, again, far(clock)) == "answer"
    assert upstream.calls == 3


async def test_what_cannot_succeed_is_not_called_again():
    clock, upstream = HandClock(), Upstream(busy(again=False))
    with pytest.raises(CompletionError):
        await retrying(clock).call(upstream.call, again, far(clock))
    assert (upstream.calls, clock.slept) == (1, [])


async def test_what_the_judge_raises_ends_it():
    clock, upstream = HandClock(), Upstream(busy())

    async def later(error: CompletionError) -> bool:
        raise PostponedError(Reason.RETRY_AFTER, 60, error)

    with pytest.raises(PostponedError):
        await retrying(clock).call(upstream.call, later, far(clock))
    assert (upstream.calls, clock.slept) == (1, [])


async def test_a_bug_is_not_called_again():
    clock, upstream = HandClock(), Upstream(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await retrying(clock).call(upstream.call, again, far(clock))
    assert upstream.calls == 1


async def test_a_pause_is_never_shorter_than_retry_after():
    clock, upstream = HandClock(), Upstream(busy(retry_after_s=7.0), busy(retry_after_s=9.0))
    await retrying(clock).call(upstream.call, again, far(clock))
    assert clock.slept[0] >= 7.0
    assert clock.slept[1] >= 9.0


async def test_pauses_are_spread_between_nought_and_a_growing_ceiling():
    policy = RetryPolicy(base_s=1.0, longest_s=20.0)
    firsts: list[float] = []
    seconds: list[float] = []
    for seed in range(200):
        clock, upstream = HandClock(), Upstream(busy(), busy())
        await Retrying(policy, clock, random.Random(seed)).call(upstream.call, again, far(clock))
        firsts.append(clock.slept[0])
        seconds.append(clock.slept[1])
    assert min(firsts) < 0.1
    assert 1.9 < max(firsts) <= 2.0
    assert 3.8 < max(seconds) <= 4.0


async def test_no_attempt_is_made_whose_pause_would_end_after_the_deadline():
    clock, upstream = HandClock(), Upstream(busy(retry_after_s=30.0))
    with pytest.raises(CompletionError):
        await retrying(clock).call(upstream.call, again, Deadline(clock.monotonic() + 20))
    assert (upstream.calls, clock.slept) == (1, [])


async def test_a_publish_is_repeated_until_the_broker_confirms():
    clock, broker = HandClock(), Upstream(NotConfirmedError(), NotConfirmedError(), NotConfirmedError())

    async def publish() -> None:
        await broker.call()

    await retrying(clock).publish(publish, NotConfirmedError, within_s=30)
    assert broker.calls == 4


async def test_a_publish_to_a_queue_that_is_gone_is_not_repeated():
    clock, broker = HandClock(), Upstream(UnroutableError())

    async def publish() -> None:
        await broker.call()

    with pytest.raises(UnroutableError):
        await retrying(clock).publish(publish, NotConfirmedError, within_s=30)
    assert broker.calls == 1


async def test_a_publish_is_given_up_by_the_clock_that_it_was_given():
    clock, broker = HandClock(), Upstream(*(NotConfirmedError() for _ in range(1000)))

    async def publish() -> None:
        clock.advance(1)
        await broker.call()

    began = clock.monotonic()
    with pytest.raises(NotConfirmedError):
        await retrying(clock).publish(publish, NotConfirmedError, within_s=30)
    assert 30 <= clock.monotonic() - began < 34
