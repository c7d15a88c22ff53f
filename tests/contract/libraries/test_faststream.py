"""What the door needs of FastStream beyond its documentation. With a broker: tests/integration/libraries."""

import asyncio
from typing import Any

import pytest
from faststream._internal.endpoint.subscriber.utils import MultiLock

from fleet_worker.delivery import Delivery
from fleet_worker.door.consumer import Door
from fleet_worker.door.queues import Consumer
from fleet_worker.outcome import Outcome
from harness.habits import relied_on

LIBRARY = "faststream"
WRAPPER = "services/worker/src/fleet_worker/door/subscribing.py"


class Unwatched:
    """Hears nothing of the connection."""

    def broker_lost(self) -> None: ...

    def broker_back(self) -> None: ...

    def settled(self, outcome: Outcome) -> None: ...


async def nothing(delivery: Delivery) -> Outcome:
    del delivery
    return Outcome.DONE


@pytest.fixture
def subscriber() -> Any:
    """One of the door's own, which nobody has started."""
    door = Door("amqp://127.0.0.1:1/", [Consumer("q", 1, nothing)], "w-1", Unwatched())
    (one,) = door._subscribers.values()  # pyright: ignore[reportPrivateUsage]
    return one


async def test_a_subscriber_has_its_queue_and_its_tag_where_they_are_looked_for(subscriber: Any):
    unset = [getattr(subscriber, name, "missing") for name in ("_queue_obj", "_consumer_tag")]
    relied_on(
        LIBRARY,
        unset == [None, None],
        "a subscriber keeps its queue in _queue_obj and its tag in _consumer_tag, None before it starts",
        f"find where it keeps them now, and mend {WRAPPER}, the only place that knows",
    )


async def test_a_subscriber_without_a_handler_leaves_its_queue_to_the_door(subscriber: Any):
    relied_on(
        LIBRARY,
        not subscriber.calls,
        "a subscriber that nobody gave a handler begins no consumer when it starts",
        f"keep it from consuming, or cancel its consumer before {WRAPPER} begins the door's own",
    )


async def test_a_framework_that_is_stopped_without_a_time_waits_for_nobody(subscriber: Any):
    subscriber.lock = MultiLock()
    with subscriber.lock:
        stopping = asyncio.create_task(subscriber.stop())
        done, _ = await asyncio.wait([stopping], timeout=5)
    relied_on(
        LIBRARY,
        done,
        "graceful_timeout=None makes a stop wait for no running handler",
        "see what Door.close waits for now: what a drain has left has to go back at once",
    )
