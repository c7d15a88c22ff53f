import asyncio
import json
import random
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import OnBreak
from fleet_worker.completion import CompletionError, Delta
from fleet_worker.handler import Handler
from fleet_worker.hold import DeliveryLease
from fleet_worker.limiter import MemoryLimiter
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.request import Request
from fleet_worker.retrying import Retrying, RetryPolicy
from harness.clock import HandClock
from harness.ledgers import a_memory_ledger
from harness.requests import a_request, a_response
from harness.worker_fakes import RecordingReplies, ScriptedCompletions, Step, Whole

HI, THERE = Delta({"content": "Hi "}), Delta({"content": "there"})


class House:
    """A handler with real parts but for the upstream and the replies."""

    def __init__(self, *scripts: list[Step], limit: int = 10) -> None:
        self.clock = HandClock()
        self.completions = ScriptedCompletions(*scripts)
        self.replies = RecordingReplies()
        self.handler = Handler(
            completions=self.completions,
            limiter=MemoryLimiter(limit, self.clock),
            ledger=a_memory_ledger(self.clock),
            replies=self.replies,
            retrying=Retrying(RetryPolicy(), self.clock, random.Random(0)),
            observer=Observer(CollectorRegistry(), structlog.get_logger()),
            clock=self.clock,
            longest_s=60,
        )

    async def handle(self, request: Request) -> Outcome:
        return await self.handler.handle(request, DeliveryLease())

    def last_body(self) -> dict[str, Any]:
        return json.loads(self.replies.terminals[-1].body)


def whole(content: str = "Hi there") -> Whole:
    return Whole(a_response(content))


def interrupted() -> CompletionError:
    return CompletionError(ErrorCode.UPSTREAM_INTERRUPTED, "cut", again=True, partial={"content": "Hi "})


async def test_a_request_is_accepted_streamed_and_answered():
    house = House([HI, THERE, whole()])
    assert await house.handle(a_request()) is Outcome.DONE
    assert house.replies.lines == ["accepted 1", "chunk 0 Hi ", "chunk 1 there", "result"]
    assert house.last_body()["last_seq"] == 1


async def test_a_failure_before_any_text_is_repeated_in_silence():
    house = House([interrupted()], [HI, whole("Hi ")])
    await house.handle(a_request())
    assert house.replies.lines == ["accepted 1", "chunk 0 Hi ", "result"]
    assert (house.last_body()["attempt"], house.last_body()["attempts"]) == (2, 2)


async def test_a_break_after_text_is_announced_before_the_next_attempt():
    house = House([HI, interrupted()], [HI, THERE, whole()])
    await house.handle(a_request())
    assert house.replies.lines == [
        "accepted 1",
        "chunk 0 Hi ",
        "restarted 2 upstream_interrupted",
        "chunk 0 Hi ",
        "chunk 1 there",
        "result",
    ]


async def test_who_wants_no_restart_gets_the_text_that_came():
    house = House([HI, interrupted()])
    await house.handle(a_request(on_break=OnBreak.FAIL))
    assert house.replies.lines == ["accepted 1", "chunk 0 Hi ", "upstream_interrupted"]
    assert house.last_body()["partial"] == {"content": "Hi "}


async def test_a_request_that_a_lost_worker_began_starts_over_aloud():
    house = House([HI, whole("Hi ")])
    await house.handle(a_request(deliveries=1))
    assert house.replies.lines[0] == "restarted 2 worker_lost"
    assert house.last_body()["attempt"] == 2


async def test_three_failures_end_the_request_with_one_failure():
    house = House([interrupted()], [interrupted()], [interrupted()])
    assert await house.handle(a_request()) is Outcome.DONE
    assert house.replies.lines == ["accepted 1", "upstream_interrupted"]
    assert house.last_body()["attempts"] == 3


async def test_a_request_asked_again_after_its_end_is_answered_from_the_ledger_unpaid():
    house = House([HI, whole("Hi ")])
    await house.handle(a_request())
    await house.handle(a_request(message_id="m-2"))
    assert house.completions.calls == 1
    first, second = house.replies.terminals
    assert first == second


async def test_a_request_published_twice_at_once_is_paid_once():
    may_end = asyncio.Event()
    house = House([HI, may_end.wait, whole("Hi ")])
    both = [asyncio.create_task(house.handle(a_request())) for _ in range(2)]
    await asyncio.sleep(0)
    may_end.set()
    assert await asyncio.gather(*both) == [Outcome.DONE, Outcome.DONE]
    assert house.completions.calls == 1
    assert len(set(house.replies.terminals)) == 1


async def test_another_body_under_the_same_correlation_id_is_refused_and_the_first_untouched():
    house = House([HI, whole("Hi ")])
    await house.handle(a_request())
    assert await house.handle(a_request(digest="e" * 64)) is Outcome.DONE
    assert [refusal.code for refusal in house.replies.refusals] == [ErrorCode.IDEMPOTENCY_CONFLICT]
    assert len(house.replies.terminals) == 1


async def test_two_tenants_may_use_the_same_correlation_id():
    house = House([whole("a")], [whole("b")])
    await house.handle(a_request())
    await house.handle(a_request(tenant="other", digest="e" * 64))
    assert house.completions.calls == 2


async def test_asking_again_with_a_higher_retry_is_a_new_request():
    house = House([CompletionError(ErrorCode.UPSTREAM_REJECTED, "no", again=False)], [whole()])
    await house.handle(a_request())
    await house.handle(a_request(retry=1))
    assert [terminal.fleet_id for terminal in house.replies.terminals] == ["c-1:final", "c-1~1:final"]


async def test_a_request_whose_deadline_has_passed_makes_no_upstream_call():
    house = House()
    request = a_request(deadline_ms=house.clock.now_ms() - 1)
    await house.handle(request)
    assert house.replies.lines == ["deadline_exceeded"]
    assert (house.completions.calls, house.last_body()["attempts"]) == (0, 0)


async def test_a_bug_ends_the_request_as_internal_and_never_tells_its_text():
    house = House([HI, ZeroDivisionError("CANARY")])
    assert await house.handle(a_request()) is Outcome.DONE
    assert house.last_body()["code"] == "internal"
    assert "CANARY" not in str(house.last_body())


async def test_an_answer_that_nobody_took_is_kept_and_the_delivery_handed_back():
    house = House([whole()])
    house.replies.undeliverable = True
    assert await house.handle(a_request()) is Outcome.HAND_BACK
    house.replies.undeliverable = False
    assert await house.handle(a_request()) is Outcome.DONE
    assert house.completions.calls == 1


async def test_a_cancelled_request_can_be_taken_again():
    never = asyncio.Event()
    house = House([HI, never.wait], [whole()])
    task = asyncio.create_task(house.handle(a_request()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await house.handle(a_request()) is Outcome.DONE
    assert house.replies.lines[-1] == "result"


async def test_calls_of_one_model_wait_for_a_permit_in_order():
    may_end = asyncio.Event()
    house = House([may_end.wait, whole("a")], [whole("b")], limit=1)
    first = asyncio.create_task(house.handle(a_request()))
    second = asyncio.create_task(house.handle(a_request(correlation_id="c-2")))
    for _ in range(3):
        await asyncio.sleep(0)
    assert house.completions.calls == 1
    may_end.set()
    await asyncio.gather(first, second)
    assert [terminal.fleet_id for terminal in house.replies.terminals] == ["c-1:final", "c-2:final"]
