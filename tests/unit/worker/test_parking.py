"""A request goes into the parking lot and comes back through the door: it is still the same request."""

from collections.abc import Sequence
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import Lane, OnBreak
from fleet_worker.completion import CompletionError
from fleet_worker.delivery import Delivery, TenantRule
from fleet_worker.door.reading import read
from fleet_worker.observing import Observer
from fleet_worker.parking import ParkingLot
from fleet_worker.ports import UndeliveredError
from fleet_worker.postponed import PostponedError, Reason
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Refusal, Request
from harness.clock import HandClock
from harness.requests import BODY, a_delivery
from harness.worker_fakes import Rungs

BROKERS_HEADERS = {
    "x-death": [{"count": 3}],
    "x-first-death-queue": "deepseek.retry.5",
    "x-delivery-count": 2,
    "x-acquired-count": 4,
    "timestamp_in_ms": 7,
    "CC": ["deepseek.requests.batch"],
    "BCC": ["anywhere"],
}


class House:
    def __init__(self, rule: TenantRule | None = None) -> None:
        self.clock = HandClock()
        self.rungs = Rungs()
        self.rule = rule or TenantRule()
        self.registry = CollectorRegistry()
        observer = Observer(self.registry, structlog.get_logger())
        self.lot = ParkingLot(self.rungs, self.clock, observer)

    def read(self, delivery: Delivery) -> Request:
        request = read(delivery, self.rule, self.clock.now_ms())
        assert isinstance(request, Request), request
        return request

    async def there_and_back(self, request: Request, wait_s: float = 30) -> tuple[Outgoing, Request]:
        await self.lot.park(request, PostponedError(Reason.BREAKER, wait_s))
        copy = self.rungs.copies[-1]
        self.clock.advance(int(copy.exchange.rpartition(".")[2]))
        return copy, self.read(self.rungs.come_back())


def identity(request: Request) -> Sequence[object]:
    return (
        request.key,
        request.digest,
        request.type,
        request.lane,
        request.payload,
        request.reply_to,
        request.message_id,
        request.deadline_ms,
        request.on_break,
        request.waiting,
    )


async def test_how_often_a_request_was_turned_away_is_kept_through_all_its_rounds():
    house = House()
    request = house.read(a_delivery())
    await house.lot.park(request, PostponedError(Reason.TURNED_AWAY, 5, turned_away=3))
    back = house.read(house.rungs.come_back())
    assert back.turned_away == 3
    _, again = await house.there_and_back(back)
    assert again.turned_away == 3
    house = House()
    forged = house.read(a_delivery(headers={"fleet-parked-turned-away": 3}))
    assert forged.turned_away == 0


async def test_a_parked_request_comes_back_as_the_request_it_was():
    house = House()
    published = a_delivery(
        b'{ "model": "deepseek-flash",  "messages": [{"role": "user", "content": "Hi"}] }',
        headers={"fleet-deadline-ms": house.clock.now_ms() + 90_000, "fleet-on-break": "fail", "mine": "x"},
        published_ms=house.clock.now_ms() - 1500,
    )
    request = house.read(published)
    copy, back = await house.there_and_back(request)
    assert identity(back) == identity(request)
    assert (copy.body, copy.headers["mine"], back.on_break) == (published.body, "x", OnBreak.FAIL)
    assert copy.exchange == "deepseek.retry.30"


@pytest.mark.parametrize("queue", ["deepseek.requests", "deepseek.requests.batch"])
async def test_a_parked_request_stays_in_its_lane_and_keeps_its_tenant(queue: str):
    house = House()
    request = house.read(a_delivery(queue=queue, routing_key="odd", headers={"fleet-tenant": "billing"}))
    _, back = await house.there_and_back(request)
    assert (back.lane, back.tenant) == (request.lane, "billing")
    assert (back.lane is Lane.BATCH) == queue.endswith("batch")


async def test_a_parked_request_keeps_the_tenant_that_the_broker_checked():
    house = House(TenantRule(strict=True))
    request = house.read(a_delivery(user_id="acme", routing_key="batch.acme"))
    _, back = await house.there_and_back(request)
    assert (back.tenant, back.reply_to) == ("acme", request.reply_to)


async def test_waiting_in_a_rung_counts_as_queued_from_the_first_publish_on():
    house = House()
    request = house.read(a_delivery(published_ms=house.clock.now_ms() - 1500))
    _, once = await house.there_and_back(request, 30)
    _, twice = await house.there_and_back(once, 120)
    assert (request.queued_ms, once.queued_ms, twice.queued_ms) == (1500, 31_500, 151_500)


async def test_without_a_timestamp_it_counts_from_when_the_fleet_first_saw_it():
    house = House()
    _, back = await house.there_and_back(house.read(a_delivery()), 30)
    assert back.queued_ms == 30_000


async def test_nothing_that_acts_on_a_copy_is_copied():
    house = House()
    request = house.read(a_delivery(headers=BROKERS_HEADERS))
    copy, back = await house.there_and_back(request)
    again, _ = await house.there_and_back(back)
    assert BROKERS_HEADERS.keys() & (copy.headers.keys() | again.headers.keys()) == set()
    assert again.headers.keys() == copy.headers.keys()


def test_what_only_the_fleet_may_say_is_believed_from_nobody_else():
    forged = {
        "fleet-parked-until-ms": 9_000_000_000_000,
        "fleet-parked-published-ms": 1,
        "fleet-parked-message-id": "someone-elses",
        "fleet-tenant": "victim",
    }
    request = House().read(a_delivery(user_id="acme", headers=forged))
    assert (request.parked_until_ms, request.queued_ms, request.message_id) == (None, 0, "m-1")
    assert request.tenant == "acme"


async def test_a_wait_longer_than_its_rung_goes_round_until_its_time_has_come():
    house = House()
    _, back = await house.there_and_back(house.read(a_delivery()), 150)
    with pytest.raises(PostponedError) as caught:
        house.lot.check_due(back)
    assert (caught.value.reason, caught.value.wait_s) == (Reason.NOT_YET, 30)
    await house.lot.park(back, caught.value)
    house.clock.advance(30)
    house.lot.check_due(house.read(house.rungs.come_back()))


async def test_a_request_whose_deadline_passed_in_a_rung_is_not_held_any_longer():
    house = House()
    deadline = {"fleet-deadline-ms": house.clock.now_ms() + 1000}
    _, back = await house.there_and_back(house.read(a_delivery(headers=deadline)), 1000)
    house.lot.check_due(back)


@pytest.mark.parametrize(
    ("wait_s", "left_s", "fits"),
    [(30, 31, True), (30, 30, False), (1, 4, False), (1, 6, True), (30, None, True)],
)
def test_a_request_that_would_come_back_too_late_fails_now(wait_s: float, left_s: float | None, fits: bool):
    house = House()
    headers = {} if left_s is None else {"fleet-deadline-ms": house.clock.now_ms() + round(left_s * 1000)}
    request = house.read(a_delivery(headers=headers))
    with pytest.raises(PostponedError if fits else CompletionError), house.lot.in_time(request):
        raise PostponedError(Reason.BREAKER, wait_s)


def test_it_fails_with_what_kept_it_waiting_where_that_is_known():
    house = House()
    request = house.read(a_delivery(headers={"fleet-deadline-ms": house.clock.now_ms() + 1000}))
    empty = CompletionError(ErrorCode.INSUFFICIENT_BALANCE, "the account is empty", again=False)
    for otherwise, code in ((empty, ErrorCode.INSUFFICIENT_BALANCE), (None, ErrorCode.DEADLINE_EXCEEDED)):
        with pytest.raises(CompletionError) as caught, house.lot.in_time(request):
            raise PostponedError(Reason.PAUSED, 30, otherwise)
        assert caught.value.code is code


async def test_a_copy_that_no_rung_took_is_an_error_and_counts_nothing():
    house = House()
    house.rungs.full = True
    with pytest.raises(UndeliveredError):
        await house.lot.park(house.read(a_delivery()), PostponedError(Reason.PAUSED, 5))
    assert house.registry.get_sample_value("fleet_requests_parked_total") is None


async def test_what_is_parked_is_counted_by_reason_and_rung():
    house = House()
    await house.lot.park(house.read(a_delivery()), PostponedError(Reason.RETRY_AFTER, 119))
    labels = {"reason": "retry_after", "rung": "120"}
    assert house.registry.get_sample_value("fleet_requests_parked_total", labels) == 1


header_values = st.one_of(st.text(max_size=20), st.integers(0, 2**40), st.booleans())
header_names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=20).filter(
    lambda name: not name.startswith(("fleet-", "x-"))
)


@given(
    headers=st.dictionaries(header_names, header_values, max_size=5),
    tenant=st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z"),
    lane=st.sampled_from(list(Lane)),
    waits=st.lists(st.floats(0.1, 2000), min_size=1, max_size=4),
)
async def test_however_often_a_request_is_parked_it_stays_the_same(
    headers: dict[str, Any], tenant: str, lane: Lane, waits: list[float]
):
    house = House()
    request = house.read(a_delivery(BODY, routing_key=f"{lane}.{tenant}", headers=headers))
    back = request
    for wait_s in waits:
        copy, back = await house.there_and_back(back, wait_s)
        assert headers.items() <= copy.headers.items()
    assert identity(back) == identity(request)
    assert not isinstance(back, Refusal)
