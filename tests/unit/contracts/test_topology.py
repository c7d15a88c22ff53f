"""What has to hold for every exchange, queue and binding."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.grammar import Lane, request_key, results_key
from fleet_contracts.topology import (
    ACCEPTED_REPLY_PREFIXES,
    CONTROL,
    CONTROL_CANCELS,
    DEAD_RAW,
    MAX_REQUESTS,
    REQUESTS,
    REQUESTS_BATCH,
    REQUESTS_RESUMED,
    RESULTS,
    RESULTS_UNHEARD,
    RETRY_RUNGS_S,
    Queue,
    reply_queue,
    retry_rung,
    topology,
)

PARTS = topology()
EXCHANGES = {exchange.name: exchange for exchange in PARTS.exchanges}
QUEUES = {queue.name: queue for queue in PARTS.queues}
KEYS = st.lists(st.from_regex(r"[A-Za-z0-9_-]{0,9}", fullmatch=True), max_size=4).map(".".join)


def matches(pattern: str, key: str) -> bool:
    """Whether a topic binding takes a key: `*` is one word, `#` any number of them."""
    wanted = re.escape(pattern).replace(r"\*", "[^.]+")
    wanted = wanted.replace(r"\.\#", r"(\..*)?").replace(r"\#", ".*")
    return re.fullmatch(wanted, key) is not None


def routed(exchange: str, key: str) -> set[str]:
    """The queues that a message reaches, through alternate exchanges where nothing else takes it."""
    kind = EXCHANGES[exchange].kind
    taken = {
        binding.destination
        for binding in PARTS.bindings
        if binding.exchange == exchange
        and (kind == "fanout" or (matches(binding.key, key) if kind == "topic" else binding.key == key))
    }
    alternate = EXCHANGES[exchange].arguments.get("alternate-exchange")
    return routed(alternate, key) if not taken and alternate else taken


def dead_lettering() -> list[Queue]:
    return [queue for queue in PARTS.queues if "x-dead-letter-exchange" in queue.arguments]


def test_every_name_is_used_once():
    assert len(EXCHANGES) == len(PARTS.exchanges)
    assert len(QUEUES) == len(PARTS.queues)
    assert len(set(PARTS.bindings)) == len(PARTS.bindings)


@given(KEYS)
def test_every_key_reaches_exactly_one_lane(key: str):
    lane = REQUESTS_BATCH if key.partition(".")[0] == "batch" else REQUESTS
    assert routed(REQUESTS, key) == {lane}


@pytest.mark.parametrize(("lane", "queue"), [(Lane.INTERACTIVE, REQUESTS), (Lane.BATCH, REQUESTS_BATCH)])
def test_a_request_s_key_leads_to_its_lane(lane: Lane, queue: str):
    assert routed(REQUESTS, request_key(lane, "acme")) == {queue}


def test_a_result_that_nobody_follows_is_kept_for_a_while_and_no_error():
    assert routed(RESULTS, results_key("result", "acme", "deepseek-flash")) == {RESULTS_UNHEARD}
    assert QUEUES[RESULTS_UNHEARD].arguments["x-overflow"] == "drop-head"


def test_every_queue_that_can_dead_letter_does_so_at_least_once():
    assert {queue.name for queue in dead_lettering()} >= {REQUESTS, REQUESTS_BATCH, REQUESTS_RESUMED}
    for queue in dead_lettering():
        assert queue.arguments["x-queue-type"] == "quorum"
        assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
        assert queue.arguments["x-overflow"] == "reject-publish"


def test_every_dead_letter_lands_in_a_queue():
    for queue in dead_lettering():
        target = queue.arguments["x-dead-letter-exchange"]
        assert routed(target, queue.arguments.get("x-dead-letter-routing-key", ""))


def test_what_the_broker_itself_puts_aside_lands_where_the_janitor_reads():
    for name in (REQUESTS, REQUESTS_BATCH, REQUESTS_RESUMED, CONTROL_CANCELS):
        arguments = QUEUES[name].arguments
        key = arguments["x-dead-letter-routing-key"]
        assert routed(arguments["x-dead-letter-exchange"], key) == {DEAD_RAW}


def test_a_cancel_of_any_tenant_reaches_the_one_bounded_queue_that_all_workers_read():
    assert routed(CONTROL, "cancel.acme") == {CONTROL_CANCELS}
    assert routed(CONTROL, "operator.acme") == set()
    assert QUEUES[CONTROL_CANCELS].arguments["x-max-length"] > 0
    assert QUEUES[CONTROL_CANCELS].arguments["x-overflow"] == "reject-publish"


@pytest.mark.parametrize("seconds", RETRY_RUNGS_S)
def test_a_parked_request_comes_back_to_be_resumed(seconds: int):
    rung = QUEUES[retry_rung(seconds)].arguments
    assert rung["x-message-ttl"] == seconds * 1000
    assert routed(retry_rung(seconds), "anything") == {retry_rung(seconds)}
    assert routed(rung["x-dead-letter-exchange"], "anything") == {REQUESTS_RESUMED}


def test_a_lane_is_bounded_and_refuses_and_what_was_admitted_is_never_refused():
    for name in (REQUESTS, REQUESTS_BATCH):
        assert QUEUES[name].arguments["x-max-length"] == MAX_REQUESTS
        assert QUEUES[name].arguments["x-overflow"] == "reject-publish"
    for name in (REQUESTS_RESUMED, DEAD_RAW, *map(retry_rung, RETRY_RUNGS_S)):
        assert not {"x-max-length", "x-max-length-bytes"} & set(QUEUES[name].arguments)


def test_no_quorum_queue_is_left_to_the_broker_s_own_delivery_limit_where_it_is_consumed():
    consumed = [
        queue
        for queue in PARTS.queues
        if queue.arguments["x-queue-type"] == "quorum" and "x-message-ttl" not in queue.arguments
    ]
    assert all(queue.arguments["x-delivery-limit"] > 0 for queue in consumed)


def test_no_reply_to_can_name_a_queue_of_the_fleet():
    assert [name for name in QUEUES if name.startswith(ACCEPTED_REPLY_PREFIXES)] == []


def test_a_reply_queue_may_be_named_in_reply_to_and_refuses_rather_than_drops():
    queue = reply_queue("acme", "7f3a")
    assert queue.name.startswith(ACCEPTED_REPLY_PREFIXES)
    assert queue.arguments["x-overflow"] == "reject-publish"
    assert queue.arguments["x-expires"] > 0


def test_everything_is_named_before_it_is_used():
    seen: set[str] = set()
    for exchange in PARTS.exchanges:
        assert exchange.arguments.get("alternate-exchange", exchange.name) in seen | {exchange.name}
        seen.add(exchange.name)
    for binding in PARTS.bindings:
        assert binding.exchange in EXCHANGES
        assert binding.destination in (EXCHANGES if binding.to_exchange else QUEUES)
