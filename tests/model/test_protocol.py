"""The delivery protocol in every order that its steps and its troubles can come in.

Two killed workers, a lost connection, a lease that ends under a living owner and a request published twice:
whatever the order, there is one terminal reply. Each mutant shows that the exploration would notice.
"""

from dataclasses import replace
from typing import Any

import pytest

from fleet_worker.ledger.answers import Stored
from fleet_worker.ledger.record import Head, Holder, Record
from model.exploring import Explored, explore
from model.protocol import ACK, CLAIM, COMMIT, PUBLISH, Luck, Protocol, State, done, start, wrong

AS_IN_ALL_TROUBLE = Luck()
NOBODY_IS_LOST = Luck(crashes=0, lost_connections=0, lost_leases=0, more_publishes=0, flushes=1)


def explored(protocol: Protocol, workers: int, luck: Luck = AS_IN_ALL_TROUBLE) -> Explored[State]:
    return explore(start(workers, luck), protocol.successors, wrong, done)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_every_order_of_steps_and_troubles_ends_in_one_terminal_reply(workers: int):
    result = explored(Protocol(), workers)
    assert not result.trouble, result.steps
    assert result.states > 100


def test_a_store_that_forgets_costs_nothing_while_the_delivery_is_held():
    assert not explored(Protocol(), 3, NOBODY_IS_LOST).trouble


def test_a_store_that_forgets_an_end_may_cost_a_second_one_where_it_is_asked_again():
    asked_again = NOBODY_IS_LOST._replace(more_publishes=1)
    assert explored(Protocol(), 2, asked_again).trouble == "two different terminal replies"


def test_publishing_before_the_commit_gives_two_ends():
    result = explored(Protocol(order=(CLAIM, PUBLISH, COMMIT, ACK)), 2)
    assert result.trouble == "two different terminal replies"


def test_acknowledging_before_the_commit_loses_the_request():
    result = explored(Protocol(order=(CLAIM, ACK, COMMIT, PUBLISH)), 2)
    assert result.trouble == "it can't end well any more"


def test_a_commit_without_the_fence_gives_two_ends():
    def always(record: Record, holder: Holder, head: Head, body: bytes) -> tuple[Record, Any]:
        del holder
        return replace(record, owner="", lease_ends_ms=0, ended=head, body=body), Stored()

    result = explored(Protocol(commit=always), 2)
    assert result.trouble == "two different terminal replies"
