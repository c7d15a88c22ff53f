"""Which tenants' queues a worker is at, while operators change their minds."""

import asyncio

import structlog

from fleet_worker.delivery import Delivery
from fleet_worker.door.queues import Consumer
from fleet_worker.door.tenant_queues import TenantQueues
from fleet_worker.outcome import Outcome


class Door:
    """Has something of every queue in hand, so that it can leave none."""

    def __init__(self) -> None:
        self.queues: list[str] = []

    async def add(self, consumer: Consumer) -> None:
        self.queues.append(consumer.queue)

    async def remove(self, consumer: Consumer) -> None:
        del consumer
        await asyncio.Event().wait()


async def nothing(delivery: Delivery) -> Outcome:
    del delivery
    return Outcome.DONE


async def a_moment() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_queue_that_a_long_call_keeps_from_being_left_holds_up_no_other_tenant():
    queues, door = TenantQueues(8, structlog.get_logger()), Door()
    running = asyncio.create_task(queues.run(door, nothing))
    queues.hear({"tenant|acme|queue": "1"})
    await a_moment()
    queues.hear({})
    await a_moment()
    queues.hear({"tenant|other|queue": "1"})
    await a_moment()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert {queue.rpartition(".")[2] for queue in door.queues} == {"acme", "other"}
