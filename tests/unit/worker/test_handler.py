import asyncio
from dataclasses import fields
from typing import Any

import pytest

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import OnBreak
from fleet_worker.completion import CompletionError, Delta, UpstreamAnswer
from fleet_worker.composing import compose_failure
from fleet_worker.deadline import Deadline
from fleet_worker.hold import DeliveryLease, Hold
from fleet_worker.ledger.fleet_ledger import FleetLedger
from fleet_worker.ledger.holds import cancelled
from fleet_worker.outcome import Outcome
from fleet_worker.ports import Granted
from fleet_worker.postponed import PostponedError, Reason
from harness.handlers import HI, THERE, House, whole
from harness.requests import BODY, a_request


def interrupted() -> CompletionError:
    return CompletionError(ErrorCode.UPSTREAM_INTERRUPTED, "cut", again=True, partial={"content": "Hi "})


def broken_after(text: str) -> CompletionError:
    partial = {"content": text} if text else {}
    return CompletionError(ErrorCode.UPSTREAM_INTERRUPTED, "cut", again=True, partial=partial)


def throttled(retry_after_s: float) -> CompletionError:
    return CompletionError(ErrorCode.RATE_LIMITED, "slow down", again=True, retry_after_s=retry_after_s)


def turned_away(status: int = 429) -> CompletionError:
    return CompletionError(ErrorCode.RATE_LIMITED, "full", again=True, upstream=UpstreamAnswer(status))


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


async def test_a_request_that_is_turned_away_for_long_spends_none_of_its_attempts_and_waits():
    house = House(
        [turned_away()],
        [turned_away()],
        [turned_away()],
        [turned_away()],
        [interrupted()],
        [interrupted()],
        [HI, whole("Hi ")],
    )
    assert await house.handle(a_request()) is Outcome.DONE
    assert (house.replies.lines, len(house.rungs.copies)) == (["accepted 1"], 1)
    house.clock.advance(5)
    times = house.rungs.copies[0].headers["fleet-parked-turned-away"]
    assert await house.handle(a_request(turned_away=times)) is Outcome.DONE
    assert house.replies.lines[-2:] == ["chunk 0 Hi ", "result"]
    assert house.last_body()["attempts"] == 7


async def test_a_request_that_is_turned_away_fails_where_its_deadline_comes_before_its_turn():
    house = House([turned_away()], [turned_away()], [turned_away()])
    await house.handle(a_request(deadline_ms=house.clock.now_ms() + 4_000))
    assert house.replies.lines == ["accepted 1", "rate_limited"]
    assert not house.rungs.copies


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


async def test_a_quarantined_request_is_buried_again_only_where_its_burial_may_have_been_cut_off():
    house = House()
    claim = await house.handler.ledger.claim(a_request(), DeliveryLease())
    assert isinstance(claim, Granted)
    error = CompletionError(ErrorCode.CRASH_LOOP, "three workers were lost", again=False)
    deadline = Deadline(house.clock.monotonic())
    await house.handler.ledger.commit(claim.hold, compose_failure(a_request(), error, 3), deadline)
    assert await house.handle(a_request(deliveries=4)) is Outcome.BURY
    assert await house.handle(a_request(message_id="m-2")) is Outcome.DONE


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


async def test_a_call_that_is_cut_off_gives_its_permit_back_with_what_had_come():
    began = asyncio.Event()

    async def hang() -> None:
        began.set()
        await asyncio.Event().wait()

    # What the first call brings is none of the second one's.
    house = House([HI, HI, interrupted()], [Delta({"content": "x" * 100}), THERE, hang])
    settled: list[float] = []

    def settle(*told: Any) -> None:
        settled.append(told[-1].received)

    limiter: Any = house.handler.limiter
    limiter.settle = settle
    task = asyncio.create_task(house.handle(a_request()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert settled == [2, pytest.approx(31.5)]


async def test_a_cancel_that_only_the_ledger_tells_of_starts_no_call_and_leaves_nothing_behind():
    house = House([HI, whole("Hi ")])

    class Forgetful(FleetLedger):
        """Takes the request in hand just before it is cancelled, and misses the message."""

        async def begin_attempt(self, hold: Hold) -> int:
            hold.stop(cancelled())
            return await super().begin_attempt(hold)

    ledger = house.handler.ledger
    assert isinstance(ledger, FleetLedger)
    forgetful = Forgetful(**{one.name: getattr(ledger, one.name) for one in fields(ledger)})
    house.use(forgetful)
    assert await house.handle(a_request()) is Outcome.DONE
    assert (house.replies.lines, house.completions.calls) == (["cancelled"], 0)


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


async def test_a_drain_gives_back_who_waits_for_a_permit_and_lets_the_call_under_way_end():
    may_end = asyncio.Event()
    house = House([may_end.wait, whole("a")], limit=1)
    first = asyncio.create_task(house.handle(a_request()))
    second = asyncio.create_task(house.handle(a_request(correlation_id="c-2")))
    for _ in range(3):
        await asyncio.sleep(0)
    house.handler.ledger.drain()
    assert await second is Outcome.HAND_BACK
    may_end.set()
    assert await first is Outcome.DONE
    assert house.completions.calls == 1
    assert await house.handle(a_request(correlation_id="c-3")) is Outcome.HAND_BACK


async def test_a_drain_leaves_the_next_attempt_to_another_worker():
    house = House([HI, interrupted()])

    async def drain() -> None:
        house.handler.ledger.drain()

    house.completions.script(0).insert(1, drain)
    assert await house.handle(a_request()) is Outcome.HAND_BACK
    assert house.replies.lines == ["accepted 1", "chunk 0 Hi "]


async def test_a_drain_ends_the_pause_before_the_next_attempt():
    house = House([HI, interrupted()])

    pausing = asyncio.Event()

    async def pause(seconds: float) -> None:
        del seconds
        pausing.set()
        await asyncio.Event().wait()

    house.clock.sleep = pause
    handling = asyncio.create_task(house.handle(a_request()))
    await pausing.wait()
    house.handler.ledger.drain()
    assert await handling is Outcome.HAND_BACK


async def test_a_postponed_request_is_parked_and_its_claim_given_back():
    house = House([HI, whole("Hi ")])
    house.upstream.postponed = PostponedError(Reason.BREAKER, 30)
    assert await house.handle(a_request()) is Outcome.DONE
    assert (house.replies.lines, house.completions.calls) == ([], 0)
    assert [copy.exchange for copy in house.rungs.copies] == ["deepseek.retry.30"]
    assert await house.handle(a_request()) is Outcome.DONE
    assert house.replies.lines == ["accepted 1", "chunk 0 Hi ", "result"]


async def test_a_request_that_no_rung_takes_is_handed_back_and_can_be_claimed_again():
    house = House([whole()])
    house.rungs.full = True
    house.upstream.postponed = PostponedError(Reason.BREAKER, 30)
    assert await house.handle(a_request()) is Outcome.HAND_BACK
    assert await house.handle(a_request()) is Outcome.DONE
    assert house.replies.lines == ["accepted 1", "result"]


async def test_a_request_that_comes_back_too_early_waits_on_without_being_claimed():
    house = House([whole()])
    early = a_request(parked_until_ms=house.clock.now_ms() + 120_000)
    assert await house.handle(early) is Outcome.DONE
    assert [copy.exchange for copy in house.rungs.copies] == ["deepseek.retry.120"]
    assert house.completions.calls == 0


async def test_a_request_whose_deadline_passed_in_a_rung_ends_as_soon_as_it_is_back():
    house = House()
    now_ms = house.clock.now_ms()
    await house.handle(a_request(parked_until_ms=now_ms + 120_000, deadline_ms=now_ms - 1))
    assert house.replies.lines == ["deadline_exceeded"]
    assert house.rungs.copies == []


async def test_a_request_without_the_time_to_wait_fails_at_once_with_what_keeps_it_waiting():
    house = House()
    empty = CompletionError(ErrorCode.INSUFFICIENT_BALANCE, "the account is empty", again=False)
    house.upstream.postponed = PostponedError(Reason.PAUSED, 30, empty)
    await house.handle(a_request(deadline_ms=house.clock.now_ms() + 20_000))
    assert house.replies.lines == ["insufficient_balance"]
    assert house.rungs.copies == []


async def test_a_long_retry_after_is_waited_out_in_a_rung_and_a_short_one_here():
    house = House([throttled(7)], [throttled(90)], [whole()])
    await house.handle(a_request())
    assert house.clock.slept[0] >= 7
    assert [copy.exchange for copy in house.rungs.copies] == ["deepseek.retry.30"]
    house.clock.advance(90)
    await house.handle(a_request())
    assert (house.replies.lines, house.last_body()["attempts"]) == (["accepted 1", "result"], 3)


async def test_the_attempts_of_all_workers_together_are_three():
    house = House([throttled(90)], [throttled(90)], [throttled(90)])
    for _ in range(3):
        await house.handle(a_request())
        house.clock.advance(90)
    assert house.replies.lines == ["accepted 1", "rate_limited"]
    assert house.last_body()["attempts"] == 3


async def test_text_that_was_sent_before_a_request_was_parked_is_void_when_it_goes_on():
    house = House([HI, interrupted()], [HI, whole("Hi ")])
    house.upstream.repeats = 1

    async def until_postponed() -> None:
        house.upstream.postponed = PostponedError(Reason.BREAKER, 30)

    house.completions.script(0).insert(1, until_postponed)
    await house.handle(a_request())
    assert house.replies.lines == ["accepted 1", "chunk 0 Hi "]
    await house.handle(a_request())
    assert house.replies.lines[2:] == ["restarted 2 upstream_interrupted", "chunk 0 Hi ", "result"]


async def test_without_a_retry_budget_the_first_failure_is_the_last():
    house = House([interrupted()])
    house.upstream.repeats = 0
    await house.handle(a_request())
    assert house.replies.lines == ["accepted 1", "upstream_interrupted"]


async def test_who_wants_to_continue_gets_the_rest_in_the_same_attempt():
    house = House([HI, interrupted()], [THERE, whole("there")])
    await house.handle(a_request(on_break=OnBreak.CONTINUE))
    assert house.replies.lines == ["accepted 1", "chunk 0 Hi ", "chunk 1 there", "result"]
    body = house.last_body()
    assert body["response"]["choices"][0]["message"]["content"] == "Hi there"
    assert (body["attempt"], body["last_seq"], body["cost"]["estimated"]) == (1, 1, True)
    assert house.completions.asked[1].body["messages"][-1] == {
        "role": "assistant",
        "content": "Hi ",
        "prefix": True,
    }


async def test_an_answer_that_breaks_again_goes_on_from_all_that_was_sent():
    house = House([HI, interrupted()], [THERE, broken_after("there")], [whole("!")])
    await house.handle(a_request(on_break=OnBreak.CONTINUE))
    assert house.last_body()["response"]["choices"][0]["message"]["content"] == "Hi there!"
    assert house.completions.asked[2].body["messages"][-1]["content"] == "Hi there"


async def test_continued_calls_count_and_the_last_one_fails_with_all_the_text():
    house = House([HI, interrupted()], [THERE, broken_after("there")], [broken_after("")])
    await house.handle(a_request(on_break=OnBreak.CONTINUE))
    assert house.replies.lines[-1] == "upstream_interrupted"
    assert house.last_body()["partial"] == {"content": "Hi there"}


async def test_an_upstream_that_takes_no_prefix_is_asked_anew():
    refused = CompletionError(ErrorCode.UPSTREAM_REJECTED, "no prefix here", again=False)
    house = House([HI, interrupted()], [refused], [HI, THERE, whole()])
    await house.handle(a_request(on_break=OnBreak.CONTINUE))
    assert house.replies.lines == [
        "accepted 1",
        "chunk 0 Hi ",
        "restarted 2 upstream_rejected",
        "chunk 0 Hi ",
        "chunk 1 there",
        "result",
    ]
    assert house.last_body()["response"]["choices"][0]["message"]["content"] == "Hi there"


async def test_what_cannot_be_continued_is_restarted():
    house = House([HI, interrupted()], [HI, whole("Hi ")])
    tools = {**BODY, "stream": True, "tools": [{"type": "function", "function": {"name": "f"}}]}
    await house.handle(a_request(body=tools, on_break=OnBreak.CONTINUE))
    assert house.replies.lines[2] == "restarted 2 upstream_interrupted"
    assert house.completions.asked[1].body == tools
