from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.codes import ErrorCode
from fleet_worker.delivery import Delivery
from fleet_worker.door.deaths import REASONS, UNTOLD, death_of, revived
from harness.hostile import ANY
from harness.requests import a_delivery

FORGED: st.SearchStrategy[Any] = ANY | st.lists(
    st.fixed_dictionaries({}, optional={"reason": ANY, "queue": ANY, "exchange": ANY, "routing-keys": ANY}),
    max_size=2,
)


def dead(reason: str = "expired", **changes: Any) -> Delivery:
    entry = {
        "count": 1,
        "reason": reason,
        "queue": "deepseek.requests.batch",
        "exchange": "deepseek.requests",
        "routing-keys": ["batch.acme"],
        **changes,
    }
    older = {**entry, "reason": "rejected", "queue": "elsewhere"}
    return a_delivery(
        queue="deepseek.dead.raw",
        exchange="deepseek.dead",
        routing_key="raw",
        headers={"x-death": [entry, older], "fleet-tenant": "acme"},
    )


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("expired", ErrorCode.DEADLINE_EXCEEDED),
        ("delivery_limit", ErrorCode.CRASH_LOOP),
        ("maxlen", ErrorCode.INTERNAL),
        ("rejected", ErrorCode.INTERNAL),
    ],
)
def test_each_reason_of_the_broker_has_its_code(reason: str, code: ErrorCode):
    assert death_of(dead(reason)).reason == reason
    assert death_of(dead(reason)).error().code is code


def test_a_message_is_seen_as_it_was_in_its_own_queue():
    delivery = dead()
    before = revived(delivery, death_of(delivery))
    assert (before.queue, before.exchange, before.routing_key) == (
        "deepseek.requests.batch",
        "deepseek.requests",
        "batch.acme",
    )
    assert before.body == delivery.body


@given(FORGED)
def test_a_forged_death_is_read_without_an_error(forged: object):
    death = death_of(a_delivery(headers={"x-death": forged}))
    assert death.reason in REASONS | {UNTOLD}
    assert death.error().code in ErrorCode
    for name in (death.queue, death.exchange, death.routing_key):
        assert len(name) <= 255


@given(ANY)
def test_forged_counts_count_for_nothing(forged: object):
    delivery = a_delivery(headers={"x-acquired-count": forged, "x-delivery-count": forged})
    assert type(delivery.deliveries) is int
    assert delivery.deliveries >= 0
