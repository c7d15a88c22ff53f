"""The one door to tenacity: when something is tried again, how often, and how long apart."""

import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
)
from tenacity.asyncio import retry_if_exception

from fleet_chassis.clock import Clock
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline

T = TypeVar("T")
Passing = type[Exception] | tuple[type[Exception], ...]
"""Errors that may pass by themselves."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How an upstream call is tried again."""

    base_s: float = 0.5
    longest_s: float = 20.0


class Retrying:
    """Repeats what may succeed when done again, with full jitter so that callers don't march in step.

    Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    def __init__(self, policy: RetryPolicy, clock: Clock, chance: random.Random) -> None:
        self._policy = policy
        self._clock = clock
        self._chance = chance

    async def call(
        self,
        attempt: Callable[[], Awaitable[T]],
        worth_repeating: Callable[[CompletionError], Awaitable[bool]],
        deadline: Deadline,
    ) -> T:
        """Await `attempt` until it succeeds, or `worth_repeating` says no; what that raises ends it too.

        A pause is never shorter than the upstream's Retry-After, and no attempt is made whose pause would
        end after the deadline.

        Raises:
            CompletionError: the last attempt's error.
        """
        try:
            # Nearly every call succeeds at once, and needs none of the machinery below.
            return await attempt()
        except CompletionError as error:
            again = _after(error, attempt)

        async def repeat(error: BaseException) -> bool:
            return isinstance(error, CompletionError) and await worth_repeating(error)

        def too_late(state: RetryCallState) -> bool:
            return state.upcoming_sleep >= deadline.left_s(self._clock)

        retrying = AsyncRetrying(
            retry=retry_if_exception(repeat),
            wait=self._pause_s,
            stop=too_late,
            sleep=self._clock.sleep,
            reraise=True,
        )
        return await retrying(again)

    async def publish(
        self, publish: Callable[[], Awaitable[None]], passing: Passing, within_s: float
    ) -> None:
        """Await `publish` until it succeeds, for at most about `within_s` seconds.

        Args:
            publish: publishes once.
            passing: the errors that may pass by themselves; any other is raised at once.
            within_s: seconds after which no further try is made.

        Raises:
            passing: the last try's error.
        """
        began = self._clock.monotonic()
        try:
            return await publish()
        except passing as error:
            again = _after(error, publish)

        def long_enough(_: RetryCallState) -> bool:
            return self._clock.monotonic() - began >= within_s

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(passing),
            wait=lambda state: self._jitter_s(state.attempt_number, base_s=0.1, longest_s=2.0),
            # The library's own reads the machine's clock.
            stop=long_enough,
            sleep=self._clock.sleep,
            reraise=True,
        )
        return await retrying(again)

    def _pause_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        floor_s = (error.retry_after_s or 0.0) if isinstance(error, CompletionError) else 0.0
        return floor_s + self._jitter_s(state.attempt_number, self._policy.base_s, self._policy.longest_s)

    def _jitter_s(self, attempt_number: int, base_s: float, longest_s: float) -> float:
        return self._chance.uniform(0, min(longest_s, base_s * 2**attempt_number))


def _after(error: Exception, call: Callable[[], Awaitable[T]]) -> Callable[[], Coroutine[Any, Any, T]]:
    """`call`, whose first try has ended with `error`."""
    ended = [error]

    async def again() -> T:
        if ended:
            raise ended.pop()
        return await call()

    return again
