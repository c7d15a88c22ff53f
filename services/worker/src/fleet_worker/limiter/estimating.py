"""What a call will probably use, what it can cost at most, and what it did use.

Input tokens are guessed from bytes and output tokens from earlier answers, and both guesses follow what the
provider reports: a tokenizer would cost more than the guess is worth, for the real use is settled anyway.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from fleet_chassis.clock import Clock
from fleet_contracts.grammar import RequestType
from fleet_worker.completion import TOKENS_A_BYTE, Completion, CompletionError
from fleet_worker.limiter.terms import Used
from fleet_worker.prices import PriceLists, tokens_of
from fleet_worker.request import Request

_FIRST_OUTPUT = 1000
_MOST_LEARNED = 2000
_NEW = 0.1
_MORE_THAN_MEAN = 1.0
_WAITS_AT_MOST_MS = 2 * 60 * 60 * 1000
_REFUSED_FROM = 400
_CUT_OFF = 1.5
"""How much more a call that was cut off is charged than what it is known to have used: DeepSeek does not say
whether it bills what it had generated and not sent yet, and both token counts are guesses."""
_PLAIN_OUTPUT, _THINKING_OUTPUT, _MOST_THINKING_OUTPUT = 8 * 1024, 64 * 1024, 128 * 1024


@dataclass(frozen=True, slots=True)
class Expected:
    """What is reserved for a call."""

    tokens: int
    worst: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made, whatever became of it."""

    sent_ms: int
    received: float
    """About how many output tokens came."""
    worst: int
    """What was reserved for it, in nano-dollars."""
    account: str = ""
    """Who paid."""


@dataclass(frozen=True, slots=True)
class Actual:
    """What a call used: None where nobody knows."""

    tokens: int | None = None
    spent: int | None = None
    used: Used | None = None


@dataclass(slots=True)
class _Habit:
    """How a tenant uses a model: means, and how far the output strays from its mean."""

    tokens_a_byte: float = TOKENS_A_BYTE
    output: float = _FIRST_OUTPUT
    strays: float = 0.0

    @property
    def usual_output(self) -> float:
        """As many tokens as most answers have at most."""
        return self.output + _MORE_THAN_MEAN * self.strays

    def learn(self, size: int, prompt: int, output: int) -> None:
        self.tokens_a_byte += _NEW * (prompt / max(1, size) - self.tokens_a_byte)
        self.strays += _NEW * (abs(output - self.output) - self.strays)
        self.output += _NEW * (output - self.output)


class Estimator:
    """Learns from every answer; forgets the tenants that it has not seen for longest."""

    def __init__(self, prices: PriceLists, clock: Clock) -> None:
        self._prices = prices
        self._clock = clock
        self._habits: OrderedDict[tuple[str, str], _Habit] = OrderedDict()

    def expected(self, request: Request, account: str = "") -> Expected:
        """What to reserve for a call that an account pays."""
        most_output, size = most_output_of(request), len(request.payload)
        habit = self._habits.get((request.tenant, request.model)) or _Habit()
        output = min(most_output, habit.usual_output)
        now = self._clock.now_ms()
        # A token has at least one byte, so the bytes are the most that the input can be.
        prices = self._prices.of(account)
        worst = prices.worst_nano(request.model, size, most_output, now, now + _WAITS_AT_MOST_MS)
        return Expected(max(1, round(size * habit.tokens_a_byte + output)), worst)

    def actual(self, request: Request, ended: Completion | CompletionError | None, call: Call) -> Actual:
        """What a call used.

        A refused call used nothing. One that was cut off is charged what it is known to have used and half as
        much again, but never more than was reserved for it.
        """
        if isinstance(ended, Completion):
            return self._answered(request, ended.response.get("usage"), call)
        status = ended.upstream.status if ended is not None and ended.upstream is not None else None
        if status is not None and status >= _REFUSED_FROM:
            return Actual(0, 0)
        if ended is not None and ended.usage:
            return self._answered(request, ended.usage, call)
        return self._cut_off(request, call)

    def _cut_off(self, request: Request, call: Call) -> Actual:
        habit, size = self._habits.get((request.tenant, request.model)) or _Habit(), len(request.payload)
        # An answer that is not streamed shows nothing of itself before its end: it counts as the usual one.
        received = call.received if request.stream else habit.usual_output
        prompt = min(size, math.ceil(size * habit.tokens_a_byte * _CUT_OFF))
        output = min(most_output_of(request), math.ceil(received * _CUT_OFF))
        usage = {"prompt_tokens": prompt, "completion_tokens": output}
        nano = self._prices.of(call.account).cost_nano(request.model, usage, call.sent_ms)
        spent = None if nano is None else min(nano, call.worst)
        return Actual(prompt + output, spent, Used(request.tenant, request.model, prompt, 0, output))

    def _answered(self, request: Request, usage: dict[str, Any] | None, call: Call) -> Actual:
        if not usage:
            return Actual(used=Used(request.tenant, request.model))
        prompt, hit, output = tokens_of(usage)
        self._habit(request).learn(len(request.payload), prompt, output)
        nano = self._prices.of(call.account).cost_nano(request.model, usage, call.sent_ms)
        return Actual(prompt + output, nano, Used(request.tenant, request.model, prompt, hit, output))

    def _habit(self, request: Request) -> _Habit:
        key = (request.tenant, request.model)
        habit = self._habits.setdefault(key, _Habit())
        self._habits.move_to_end(key)
        if len(self._habits) > _MOST_LEARNED:
            self._habits.popitem(last=False)
        return habit


def most_output_of(request: Request) -> int:
    """The most output tokens that a request can be answered with, thinking included.

    Unset it is 8K, with thinking 64K and at the highest effort 128K.
    Source: https://api-docs.deepseek.com/api/create-chat-completion
    """
    body = request.body
    asked = body.get("max_tokens")
    if isinstance(asked, int) and asked > 0:
        return asked
    thinking, effort = body.get("thinking"), body.get("reasoning_effort")
    off = isinstance(thinking, dict) and "disabled" in thinking.values()
    if request.type is RequestType.FIM or off or effort == "none":
        return _PLAIN_OUTPUT
    return _MOST_THINKING_OUTPUT if effort in {"max", "ultra"} else _THINKING_OUTPUT
