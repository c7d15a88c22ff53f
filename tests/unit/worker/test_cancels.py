import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.topology import DELIVERY_LIMIT
from fleet_worker.completion import CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.delivery import Delivery, TenantRule
from fleet_worker.door.cancels import cancelled_key
from fleet_worker.hold import DeliveryLease, Hold
from fleet_worker.outcome import Outcome
from fleet_worker.ports import Final, Granted
from fleet_worker.terminal import Terminal
from harness.graveyard import Graveyard
from harness.hostile import ANY, PROPERTY
from harness.requests import a_delivery, a_request

RESULT = Terminal("result", "c-1:final", 1, b"{}")


def a_cancel(**changes: Any) -> Delivery:
    fields: dict[str, Any] = {
        "queue": "deepseek.control.cancels",
        "exchange": "deepseek.control",
        "routing_key": "cancel.acme",
        "type": "cancel.v1",
        "reply_to": None,
    }
    return a_delivery({}, **{**fields, **changes})


async def held(yard: Graveyard) -> Hold:
    claim = await yard.ledger.claim(a_request(), DeliveryLease())
    assert isinstance(claim, Granted)
    return claim.hold


def stopped(hold: Hold) -> str | None:
    try:
        with hold.working():
            return None
    except CompletionError as reason:
        return reason.code


@pytest.mark.parametrize(
    ("rule", "changes", "tenant"),
    [
        (TenantRule(), {}, "acme"),
        (TenantRule(), {"headers": {"fleet-tenant": "other"}}, "other"),
        (TenantRule(), {"routing_key": "nothing"}, "default"),
        (TenantRule(), {"user_id": "me", "headers": {"fleet-tenant": "victim"}}, "me"),
        (TenantRule(strict=True), {"user_id": "me", "routing_key": "cancel.victim"}, "me"),
        (
            TenantRule(strict=True, trusted_users=frozenset({"gateway"})),
            {"user_id": "gateway", "headers": {"fleet-tenant": "other"}},
            "other",
        ),
    ],
)
def test_a_cancel_means_a_request_of_its_own_tenant(rule: TenantRule, changes: dict[str, Any], tenant: str):
    assert cancelled_key(a_cancel(**changes), rule) == (tenant, "c-1", 0)


def test_a_cancel_names_which_time_the_request_was_asked():
    assert cancelled_key(a_cancel(headers={"fleet-retry": 2}), TenantRule()) == ("acme", "c-1", 2)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": None},
        {"type": "cancel.v9"},
        {"correlation_id": None},
        {"correlation_id": "a\r\nb"},
        {"headers": {"fleet-retry": "two"}},
        {"headers": {"fleet-retry": -1}},
        {"headers": {"fleet-tenant": "a.b"}},
    ],
)
async def test_a_bad_cancel_ends_as_one_dead_letter_and_no_failure(changes: dict[str, Any]):
    yard = Graveyard()
    assert await yard.cancels.take(a_cancel(**changes)) is Outcome.DONE
    assert yard.codes == ["invalid_request"]
    assert (yard.replies.lines, yard.replies.refusals) == ([], [])


@pytest.mark.parametrize(("times", "codes"), [(DELIVERY_LIMIT, []), (DELIVERY_LIMIT + 1, ["crash_loop"])])
async def test_a_cancel_that_worker_after_worker_gave_back_is_buried(times: int, codes: list[str]):
    yard = Graveyard()
    assert await yard.cancels.take(a_cancel(headers={"x-acquired-count": times})) is Outcome.DONE
    assert yard.codes == codes


async def test_without_a_checked_user_a_strict_fleet_cancels_nothing():
    yard = Graveyard(TenantRule(strict=True))
    hold = await held(yard)
    await yard.cancels.take(a_cancel())
    assert (yard.codes, stopped(hold)) == (["invalid_request"], None)


async def test_another_tenants_cancel_leaves_the_request_alone():
    yard = Graveyard()
    hold = await held(yard)
    await yard.cancels.take(a_cancel(routing_key="cancel.other"))
    assert stopped(hold) is None


async def test_a_running_request_is_told_to_stop_and_answers_by_itself():
    yard = Graveyard()
    hold = await held(yard)
    assert await yard.cancels.take(a_cancel()) is Outcome.DONE
    assert stopped(hold) == "cancelled"
    assert yard.replies.lines == []


async def test_a_request_that_nobody_has_in_hand_ends_at_once_where_its_caller_listens():
    yard = Graveyard()
    await yard.ledger.release(await held(yard))
    assert await yard.cancels.take(a_cancel()) is Outcome.DONE
    assert yard.replies.lines == ["cancelled"]
    assert json.loads(yard.replies.terminals[0].body)["id"] == "c-1:final"
    claim = await yard.ledger.claim(a_request(), DeliveryLease())
    assert isinstance(claim, Final)
    assert claim.terminal == yard.replies.terminals[0]


async def test_a_request_that_comes_after_its_cancel_finds_it():
    yard = Graveyard()
    assert await yard.cancels.take(a_cancel()) is Outcome.DONE
    assert stopped(await held(yard)) == "cancelled"


async def test_a_request_that_has_ended_stays_as_it_ended():
    yard = Graveyard()
    hold = await held(yard)
    await yard.ledger.commit(hold, RESULT, Deadline(yard.clock.monotonic()))
    assert await yard.cancels.take(a_cancel()) is Outcome.DONE
    assert (yard.replies.lines, yard.codes) == ([], [])
    claim = await yard.ledger.claim(a_request(), DeliveryLease())
    assert isinstance(claim, Final)
    assert claim.terminal == RESULT


async def test_a_cancel_and_a_result_at_once_leave_one_end_and_the_commit_decides():
    yard = Graveyard()
    hold = await held(yard)
    committing = yard.ledger.commit(hold, RESULT, Deadline(yard.clock.monotonic()))
    await asyncio.gather(yard.cancels.take(a_cancel()), committing)
    claim = await yard.ledger.claim(a_request(), DeliveryLease())
    assert isinstance(claim, Final)
    assert claim.terminal == RESULT


async def test_a_cancelled_end_that_nobody_took_goes_out_again_with_the_cancel_or_the_request():
    yard = Graveyard()
    await yard.ledger.release(await held(yard))
    yard.replies.undeliverable = True
    assert await yard.cancels.take(a_cancel()) is Outcome.HAND_BACK
    yard.replies.undeliverable = False
    claim = await yard.ledger.claim(a_request(), DeliveryLease())
    assert isinstance(claim, Final)
    assert claim.terminal.outcome == "cancelled"


@given(st.dictionaries(st.sampled_from(["fleet-retry", "fleet-tenant", "x-death"]), ANY), PROPERTY, PROPERTY)
async def test_a_forged_cancel_is_carried_out_or_buried(headers: dict[str, Any], name: Any, type_: Any):
    yard = Graveyard()
    delivery = a_cancel(headers=headers, correlation_id=name, type=type_, user_id=name, reply_to=name)
    assert await yard.cancels.take(delivery) is Outcome.DONE
