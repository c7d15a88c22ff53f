"""The guard before the upstream, with a real record in memory and a scripted upstream."""

import asyncio
import random
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry

from fleet_chassis.store import StoreUnavailableError
from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import Completion, CompletionError, Delta, UpstreamAnswer
from fleet_worker.deadline import Deadline
from fleet_worker.deepseek.probe import Balance
from fleet_worker.postponed import PostponedError, Reason
from fleet_worker.upstream_health import Account, Guard, HealthPolicy, MemoryHealth, Standing
from fleet_worker.upstream_health.observing import HealthObserver
from fleet_worker.upstream_health.signs import Sign, sign_of
from fleet_worker.upstream_health.standstill import SEEN_S, Standstill
from fleet_worker.upstream_health.waits import LONGEST_S, wait_s
from harness.clock import HandClock
from harness.requests import a_request, a_response
from harness.worker_fakes import ScriptedCompletions, Step, Whole

POLICY = HealthPolicy(min_calls=2, budget=30)
HI = Delta({"content": "Hi"})


class ScriptedAccount:
    def __init__(self, *standings: Standing) -> None:
        self.standings = list(standings)

    async def look(self) -> Standing:
        return self.standings.pop(0)


class DeadRecord:
    """A record whose store is down."""

    async def down(self, *_args: Any, **_more: Any) -> Any:
        raise StoreUnavailableError("down")

    admit = report = pause = heal = spend = down


class House:
    def __init__(
        self, *scripts: list[Step], standings: tuple[Standing, ...] = (), record: Any = None
    ) -> None:
        self.clock = HandClock()
        self.completions = ScriptedCompletions(*scripts)
        self.account = ScriptedAccount(*standings)
        self.registry = CollectorRegistry()
        self.standstill = Standstill(self.clock)
        self.guard = Guard(
            self.completions,
            record or MemoryHealth(POLICY, self.clock),
            self.account,
            POLICY,
            random.Random(0),
            HealthObserver(self.registry, structlog.get_logger()),
            self.standstill,
        )

    async def call(self, **changes: Any) -> Completion:
        async with self.guard.admitted(a_request(**changes)) as upstream:
            return await upstream.complete(
                a_request(**changes), Deadline(self.clock.monotonic() + 60), lambda _: None
            )

    async def call_other(self) -> None:
        """A call of another model that goes well, whatever the scripts are."""
        async with self.guard.admitted(a_request(model="deepseek-v4-pro")):
            pass

    async def fails(self, **changes: Any) -> CompletionError:
        with pytest.raises(CompletionError) as caught:
            await self.call(**changes)
        return caught.value

    async def postponed(self, **changes: Any) -> PostponedError:
        with pytest.raises(PostponedError) as caught:
            await self.call(**changes)
        return caught.value

    def metric(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0


def error(code: ErrorCode, *, again: bool = True) -> CompletionError:
    return CompletionError(code, "no", again=again)


def busy() -> list[Step]:
    return [error(ErrorCode.UPSTREAM_UNAVAILABLE)]


def well() -> list[Step]:
    return [HI, Whole(a_response("Hi"))]


def empty() -> list[Step]:
    return [error(ErrorCode.INSUFFICIENT_BALANCE, again=False)]


async def test_a_model_that_keeps_failing_is_left_alone_and_its_requests_postponed():
    house = House(busy(), busy())
    await house.fails()
    await house.fails()
    postponed = await house.postponed()
    assert postponed.reason is Reason.BREAKER
    assert POLICY.open_s <= postponed.wait_s <= POLICY.open_s * (1 + POLICY.spread)
    assert postponed.otherwise is not None
    assert postponed.otherwise.code is ErrorCode.UPSTREAM_UNAVAILABLE
    assert house.completions.calls == 2
    assert house.metric("fleet_breaker_changes_total", model="deepseek-flash", change="opened") == 1


async def test_those_put_aside_come_back_spread_over_time():
    house = House(busy(), busy())
    await house.fails()
    await house.fails()
    waits = [(await house.postponed()).wait_s for _ in range(20)]
    assert max(waits) - min(waits) > POLICY.open_s * POLICY.spread / 2


async def test_one_good_probe_lets_everybody_through_again():
    house = House(busy(), busy(), well(), well(), well())
    await house.fails()
    await house.fails()
    house.clock.advance(POLICY.open_s)
    for _ in range(3):
        await house.call()
        await asyncio.sleep(0)
    assert house.metric("fleet_breaker_changes_total", model="deepseek-flash", change="closed") == 1


async def test_a_probe_tells_with_its_first_text_and_not_at_its_end():
    ends = asyncio.Event()
    house = House(busy(), busy(), [HI, ends.wait, Whole(a_response("Hi"))], well())
    await house.fails()
    await house.fails()
    house.clock.advance(POLICY.open_s)
    probe = asyncio.create_task(house.call())
    for _ in range(5):
        await asyncio.sleep(0)
    await house.call()
    ends.set()
    await probe


async def test_a_probe_that_is_broken_off_here_leaves_its_turn_to_the_next():
    house = House(busy(), busy(), [asyncio.Event().wait], well())
    await house.fails()
    await house.fails()
    house.clock.advance(POLICY.open_s)
    probe = asyncio.create_task(house.call())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (await house.postponed()).reason is Reason.BREAKER
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    await house.guard.aclose()
    await house.call()


async def test_an_empty_account_postpones_every_model_until_a_look_finds_money():
    house = House(empty(), well(), standings=(Standing.EMPTY, Standing.WELL))
    await house.fails()
    first = await house.postponed(model="deepseek-v4-pro")
    assert (first.reason, first.otherwise and first.otherwise.code) == (
        Reason.PAUSED,
        ErrorCode.INSUFFICIENT_BALANCE,
    )
    house.clock.advance(POLICY.look_s)
    assert (await house.postponed()).reason is Reason.PAUSED
    assert house.metric("fleet_account_paused", account="default", code="insufficient_balance") == 1
    house.clock.advance(POLICY.longest_look_s)
    await house.call()
    assert house.account.standings == []
    assert house.metric("fleet_account_paused", account="default", code="insufficient_balance") == 0


async def test_where_the_upstream_tells_no_balance_one_call_finds_out():
    house = House(empty(), well(), well(), standings=(Standing.UNTOLD,))
    await house.fails()
    house.clock.advance(POLICY.look_s)
    await house.call()
    await house.guard.aclose()
    await house.call()
    assert house.completions.calls == 3


async def test_a_call_that_finds_the_account_still_empty_pauses_it_for_longer():
    house = House(empty(), empty(), standings=(Standing.UNTOLD, Standing.UNTOLD))
    await house.fails()
    house.clock.advance(POLICY.look_s)
    await house.fails()
    house.clock.advance(POLICY.look_s + 1)
    assert (await house.postponed()).reason is Reason.PAUSED


async def test_a_look_that_the_upstream_does_not_answer_changes_nothing():
    house = House(empty(), standings=(Standing.UNKNOWN,))
    await house.fails()
    house.clock.advance(POLICY.look_s)
    postponed = await house.postponed()
    assert postponed.otherwise is not None
    assert postponed.otherwise.code is ErrorCode.INSUFFICIENT_BALANCE


async def test_retries_end_when_the_budget_is_spent_and_come_back_with_success():
    house = House(well())
    request, failure = a_request(), error(ErrorCode.UPSTREAM_UNAVAILABLE)
    assert [await house.guard.may_repeat(request, failure) for _ in range(3)] == [True, True, False]
    await house.call()
    await house.guard.aclose()
    assert await house.guard.may_repeat(request, failure), "what the retry cost came back when it succeeded"
    assert house.metric("fleet_retries_total", granted="false") == 1


async def test_who_fails_as_the_breaker_opens_is_put_aside_and_not_failed_for_want_of_budget():
    house = House(busy(), busy(), well())
    refusals = [await house.fails(), await house.fails()]
    assert [await house.guard.may_repeat(a_request(), refusals[0]) for _ in range(2)] == [True, True]
    with pytest.raises(PostponedError) as caught:
        await house.guard.may_repeat(a_request(), refusals[1])
    assert caught.value.reason is Reason.BREAKER
    house.clock.advance(caught.value.wait_s)
    assert not await house.guard.may_repeat(a_request(), refusals[1]), "no breaker is open any more"
    await house.guard.aclose()
    assert await house.call(), "whoever asked has not kept the turn of the probe"


async def test_a_retry_after_a_429_costs_less():
    house = House()
    throttled = error(ErrorCode.RATE_LIMITED)
    assert [await house.guard.may_repeat(a_request(), throttled) for _ in range(7)] == [True] * 6 + [False]


@pytest.mark.parametrize(
    ("retry_after_s", "waits_s"), [(None, None), (30, None), (31, 31), (10**9, POLICY.longest_retry_after_s)]
)
def test_only_a_long_retry_after_puts_a_request_aside_and_never_for_good(
    retry_after_s: float | None, waits_s: float | None
):
    throttled = CompletionError(ErrorCode.RATE_LIMITED, "slow", again=True, retry_after_s=retry_after_s)
    postponed = House().guard.postpones(throttled)
    assert (postponed and postponed.wait_s) == waits_s


@pytest.mark.parametrize("status", [429, 503])
def test_who_was_turned_away_three_times_waits_and_longer_each_time_but_never_for_good(status: int):
    refused = CompletionError(ErrorCode.RATE_LIMITED, "full", again=True, upstream=UpstreamAnswer(status))
    waits = [House().guard.postpones(refused, times) for times in (1, 2, 3, 4, 5, 6, 9, 999_999)]
    assert [postponed and postponed.reason for postponed in waits] == [
        *(None, None, Reason.TURNED_AWAY, None, None, Reason.TURNED_AWAY, Reason.TURNED_AWAY),
        Reason.TURNED_AWAY,
    ]
    seconds = [postponed.wait_s for postponed in waits if postponed]
    assert all(most / 1.5 <= wait <= most for most, wait in zip((5, 10, 20, 120), seconds, strict=True))


def test_who_was_turned_away_until_later_waits_until_then():
    refused = CompletionError(
        ErrorCode.RATE_LIMITED, "full", again=True, retry_after_s=20, upstream=UpstreamAnswer(429)
    )
    postponed = House().guard.postpones(refused, 3)
    assert postponed is not None
    assert postponed.wait_s == 20


async def test_who_was_turned_away_waits_where_the_retry_budget_is_spent():
    house = House()
    refused = CompletionError(ErrorCode.RATE_LIMITED, "full", again=True, upstream=UpstreamAnswer(429))
    while await house.guard.may_repeat(a_request(), error(ErrorCode.RATE_LIMITED)):
        pass
    with pytest.raises(PostponedError) as caught:
        await house.guard.may_repeat(a_request(), refused)
    assert (caught.value.reason, caught.value.otherwise) == (Reason.TURNED_AWAY, refused)


@pytest.mark.parametrize("code", [ErrorCode.UNAUTHORIZED, ErrorCode.INSUFFICIENT_BALANCE])
def test_who_met_the_accounts_trouble_is_put_aside_until_the_next_look(code: ErrorCode):
    postponed = House().guard.postpones(error(code, again=False))
    assert postponed is not None
    assert (postponed.reason, postponed.wait_s) == (Reason.PAUSED, POLICY.look_s)


async def test_a_store_that_is_down_stops_no_call_and_no_retry():
    house = House(well(), busy(), empty(), record=DeadRecord())
    await house.call()
    assert (await house.fails()).code is ErrorCode.UPSTREAM_UNAVAILABLE
    assert (await house.fails()).code is ErrorCode.INSUFFICIENT_BALANCE
    assert await house.guard.may_repeat(a_request(), error(ErrorCode.UPSTREAM_UNAVAILABLE))


@pytest.mark.parametrize(
    ("code", "sign"),
    [
        (ErrorCode.UPSTREAM_UNAVAILABLE, Sign.ILL),
        (ErrorCode.UPSTREAM_TIMEOUT, Sign.ILL),
        (ErrorCode.UPSTREAM_INTERRUPTED, Sign.ILL),
        (ErrorCode.UPSTREAM_REJECTED, Sign.WELL),
        (ErrorCode.RATE_LIMITED, Sign.WELL),
        (ErrorCode.TOO_LARGE, Sign.WELL),
        (ErrorCode.UNAUTHORIZED, Sign.NONE),
        (ErrorCode.INSUFFICIENT_BALANCE, Sign.NONE),
        (ErrorCode.DEADLINE_EXCEEDED, Sign.NONE),
        (ErrorCode.CANCELLED, Sign.NONE),
    ],
)
def test_only_what_the_upstream_did_says_something_of_its_health(code: ErrorCode, sign: Sign):
    assert sign_of(error(code)) is sign


def test_an_answer_that_is_of_no_use_is_no_sign_of_illness():
    blank = error(ErrorCode.UPSTREAM_INTERRUPTED)
    blank.blames_upstream = False
    assert sign_of(blank) is Sign.WELL


def test_long_trouble_is_waited_out_in_longer_steps_up_to_a_bound():
    assert wait_s(15, 0, 1) == 15
    assert wait_s(15, 200, 1) == 50
    assert wait_s(15, 36_000, 1.5) == LONGEST_S * 1.5


async def standing_still(house: House) -> float | None:
    """Seconds for which every model is stopped; None where one goes."""
    try:
        async with asyncio.timeout(0.01):
            return await house.standstill.begun()
    except TimeoutError:
        return None


async def test_while_one_model_goes_nothing_stands_still():
    house = House(busy(), busy())
    await house.call_other()
    await house.fails()
    await house.fails()
    await house.postponed()
    assert await standing_still(house) is None


async def test_when_every_model_that_is_asked_for_is_stopped_it_tells_for_how_long():
    house = House(busy(), busy())
    await house.call_other()
    house.clock.advance(SEEN_S)
    await house.fails()
    await house.fails()
    await house.postponed()
    assert await standing_still(house) == POLICY.open_s


async def test_a_paused_account_is_a_standstill_of_every_model():
    house = House(empty())
    await house.fails()
    await house.postponed()
    await house.postponed(model="deepseek-v4-pro")
    assert await standing_still(house) == POLICY.look_s


class ScriptedBalance:
    def __init__(self, says: Balance | CompletionError) -> None:
        self.says = says

    async def balance(self) -> Balance:
        if isinstance(self.says, CompletionError):
            raise self.says
        return self.says


@pytest.mark.parametrize(
    ("says", "standing"),
    [
        (Balance(available=True, amounts=()), Standing.WELL),
        (Balance(available=False, amounts=()), Standing.EMPTY),
        (error(ErrorCode.UNAUTHORIZED), Standing.REFUSED),
        (error(ErrorCode.INSUFFICIENT_BALANCE), Standing.EMPTY),
        (error(ErrorCode.UPSTREAM_UNAVAILABLE), Standing.UNKNOWN),
        (
            CompletionError(
                ErrorCode.UPSTREAM_REJECTED, "no", again=False, upstream=UpstreamAnswer(status=404)
            ),
            Standing.UNTOLD,
        ),
    ],
)
async def test_the_balance_tells_how_the_account_stands(says: Balance | CompletionError, standing: Standing):
    assert await Account(ScriptedBalance(says)).look() is standing
