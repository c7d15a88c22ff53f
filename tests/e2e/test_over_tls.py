"""End-to-end tests once more, where broker and store let in holders of a certificate alone, by TLS."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
import pytest

from e2e import test_control as control
from e2e import test_conversations as conversations
from e2e import test_killed_worker as killed_worker
from e2e import test_shared_ledger as ledger
from e2e import test_shared_limit as limit
from e2e import test_tenant_queues as tenant_queues
from fleet_chassis.clock import SystemClock
from fleet_chassis.store import StoreUnavailableError, open_store
from fleet_chassis.topology import apply
from harness.broker import SharedBroker
from harness.store import SharedStore
from harness.tls import Papers, broker_by_tls_alone, papers_in, store_by_tls_alone

pytestmark = pytest.mark.sockets

CHOICE = "FLEET_TEST_TLS"
"""Set to `all`, it runs more of them: each takes some seconds, and a usual run has enough with three."""


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return papers_in(tmp_path / "papers")


@pytest.fixture
async def fleet_vhost(broker: SharedBroker, papers: Papers) -> AsyncIterator[str]:
    """In place of the other tests' own: as its URL, the one by TLS."""
    name = f"test-{uuid4().hex}"
    plain = await broker.add_vhost(name)
    async with broker_by_tls_alone(broker, papers) as port:
        url = papers.broker(plain, port)
        await apply(url)
        yield url
    await broker.delete_vhost(name)


@pytest.fixture
async def store_url(store: SharedStore, papers: Papers) -> AsyncIterator[str]:
    async with store_by_tls_alone(await store.fresh_database(), papers) as url:
        yield url


async def test_who_comes_without_tls_is_let_in_by_neither(
    broker: SharedBroker, store: SharedStore, fleet_vhost: str, store_url: str
):
    assert (urlsplit(fleet_vhost).scheme, urlsplit(store_url).scheme) == ("amqps", "rediss")
    with pytest.raises(ConnectionError):
        await aio_pika.connect(broker.url)
    with pytest.raises(StoreUnavailableError):
        async with open_store(store.url, 2.0, SystemClock()):
            pass


test_two_workers_pay_once = (
    ledger.test_a_request_published_to_two_workers_is_paid_once_and_answered_with_the_same_bytes
)
test_a_killed_worker_is_superseded = ledger.test_a_worker_killed_mid_stream_is_superseded_within_seconds
test_a_tenant_gets_queues_of_its_own = (
    tenant_queues.test_a_tenants_own_queues_are_taken_up_and_given_up_by_a_running_worker
)

if os.environ.get(CHOICE) == "all":  # noqa: TID251 - the edge at which it is read
    test_a_sigterm_lets_a_running_stream_end = killed_worker.test_a_sigterm_lets_a_running_stream_end
    test_a_cancel_reaches_another_worker = (
        control.test_a_cancel_that_another_worker_takes_reaches_the_one_that_runs_the_request
    )
    test_a_requests_life_is_read = (
        control.test_the_life_of_an_answered_request_names_deepseeks_trace_and_no_text
    )
    test_a_shared_limit_is_kept = limit.test_two_workers_together_never_make_more_calls_than_the_limit
    test_a_conversation_outlives_its_worker = (
        conversations.test_a_worker_that_dies_between_append_and_commit_has_its_answer_told_by_the_next_one
    )
