"""What a call that did not end well is charged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError, Delta, UpstreamAnswer
from fleet_worker.limiter.estimating import Call, Estimator
from fleet_worker.prices import published_prices
from harness.clock import HandClock
from harness.limiters import an_answer
from harness.requests import BODY, a_request

CLOCK = HandClock()


def an_estimator() -> Estimator:
    return Estimator(published_prices(), CLOCK)


def broken(status: int | None = 200, usage: dict[str, int] | None = None) -> CompletionError:
    upstream = None if status is None else UpstreamAnswer(status)
    error = CompletionError(ErrorCode.UPSTREAM_INTERRUPTED, "broke off", again=True, upstream=upstream)
    error.usage = usage
    return error


@pytest.mark.parametrize("ended", [None, broken(), broken(None)])
def test_a_call_that_was_cut_off_is_charged_what_came_and_half_as_much_again(ended: CompletionError | None):
    request, estimator = a_request(), an_estimator()
    worst = estimator.expected(request).worst
    actual = estimator.actual(request, ended, Call(CLOCK.now_ms(), 100, worst))
    assert actual.used is not None
    assert actual.used.output == 150
    assert actual.used.input == pytest.approx(len(request.payload) * 0.3 * 1.5, abs=1)
    assert actual.tokens == actual.used.input + 150
    assert actual.spent is not None
    assert 0 < actual.spent < worst / 300


def test_a_call_that_was_refused_costs_nothing():
    actual = an_estimator().actual(a_request(), broken(503), Call(CLOCK.now_ms(), 0, 1000))
    assert (actual.tokens, actual.spent, actual.used) == (0, 0, None)


def test_where_the_upstream_told_the_usage_before_the_break_it_counts():
    error = broken(usage={"prompt_tokens": 7, "completion_tokens": 11})
    actual = an_estimator().actual(a_request(), error, Call(CLOCK.now_ms(), 100, 1_000_000_000))
    assert actual.tokens == 18


def test_an_answer_that_is_not_streamed_counts_as_the_tenants_usual_one():
    request, estimator = a_request(stream=False, body={**BODY}), an_estimator()
    for _ in range(200):
        estimator.actual(request, an_answer(20, 400), Call(CLOCK.now_ms(), 0, 0))
    actual = estimator.actual(request, None, Call(CLOCK.now_ms(), 0, 1_000_000_000))
    assert actual.used is not None
    assert actual.used.output == pytest.approx(600, abs=5)


@given(st.floats(0, 1e6), st.integers(1, 5000))
def test_no_call_that_was_cut_off_is_charged_more_than_was_reserved(received: float, most: int):
    request, estimator = a_request(body={**BODY, "stream": True, "max_tokens": most}), an_estimator()
    worst = estimator.expected(request).worst
    actual = estimator.actual(request, None, Call(CLOCK.now_ms(), received, worst))
    assert actual.used is not None
    assert actual.used.output <= most
    assert actual.spent is not None
    assert actual.spent <= worst
    assert estimator.actual(request, None, Call(CLOCK.now_ms(), received, 1)).spent == 1


def test_a_delta_is_at_least_a_token_and_a_long_one_as_many_as_its_text():
    assert Delta({"content": "a"}).tokens == 1
    assert Delta({"tool_calls": [{"index": 0}]}).tokens == 1
    assert Delta({"content": "x" * 50, "reasoning_content": "y" * 50}).tokens == pytest.approx(30)
    assert Delta({"content": "\ud800"}).tokens == 1
