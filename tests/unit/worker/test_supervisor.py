import asyncio

import pytest

from fleet_worker.door.supervisor import Supervisor
from fleet_worker.hold import DeliveryLease
from fleet_worker.outcome import Outcome


class Work:
    """Runs until told, and remembers what became of it."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.may_end = asyncio.Event()
        self.ended = ""

    async def __call__(self) -> Outcome:
        self.started.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise
        self.ended = "done"
        return Outcome.DONE


async def test_work_says_on_its_lease_that_it_has_begun_and_that_it_has_ended():
    supervisor, work, lease = Supervisor(1), Work(), DeliveryLease()
    assert not lease.at_work
    one = asyncio.create_task(supervisor.run(work, lease))
    await work.started.wait()
    assert (lease.at_work, lease.held) == (True, True)
    work.may_end.set()
    assert await one is Outcome.DONE
    assert not lease.held


async def test_work_is_not_handed_back_by_a_loop_that_ends():
    supervisor, work = Supervisor(1), Work()
    one = asyncio.create_task(supervisor.run(work, DeliveryLease()))
    await work.started.wait()
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    assert (work.ended, supervisor.running) == ("cancelled", 0)


async def test_no_more_runs_than_there_is_room_for():
    supervisor, first, second = Supervisor(1), Work(), Work()
    one = asyncio.create_task(supervisor.run(first, DeliveryLease()))
    other = asyncio.create_task(supervisor.run(second, DeliveryLease()))
    await first.started.wait()
    await asyncio.sleep(0)
    assert not second.started.is_set()
    first.may_end.set()
    await second.started.wait()
    second.may_end.set()
    assert [await one, await other] == [Outcome.DONE, Outcome.DONE]


async def test_a_drain_hands_back_what_has_not_started_and_finishes_what_runs():
    supervisor, running, waiting = Supervisor(1), Work(), Work()
    one = asyncio.create_task(supervisor.run(running, DeliveryLease()))
    other = asyncio.create_task(supervisor.run(waiting, DeliveryLease()))
    await running.started.wait()
    await asyncio.sleep(0)
    drain = asyncio.create_task(supervisor.drain(grace_s=5))
    assert await other is Outcome.HAND_BACK
    running.may_end.set()
    assert await one is Outcome.DONE
    await drain
    assert (running.ended, waiting.ended) == ("done", "")


async def test_a_drain_cancels_what_does_not_end_in_time_and_hands_it_back():
    supervisor, work = Supervisor(1), Work()
    one = asyncio.create_task(supervisor.run(work, DeliveryLease()))
    await work.started.wait()
    await supervisor.drain(grace_s=0)
    assert await one is Outcome.HAND_BACK
    assert (work.ended, supervisor.running) == ("cancelled", 0)


async def test_work_that_a_library_cuts_off_is_handed_back_instead_of_leaving_its_delivery_stuck():
    closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    closing.set_exception(asyncio.CancelledError())  # as the broker's library does to who waits for a confirm

    async def publish() -> Outcome:
        await closing
        return Outcome.DONE

    assert await Supervisor(1).run(publish, DeliveryLease()) is Outcome.HAND_BACK


async def test_nothing_starts_after_a_drain_began():
    supervisor, work = Supervisor(1), Work()
    await supervisor.drain(grace_s=0)
    assert await supervisor.run(work, DeliveryLease()) is Outcome.HAND_BACK
    assert not work.started.is_set()


async def test_work_whose_time_is_over_while_it_waits_for_room_is_done_without_it():
    supervisor, running, late = Supervisor(1), Work(), Work()
    first = asyncio.create_task(supervisor.run(running, DeliveryLease()))
    await running.started.wait()
    late.may_end.set()
    assert await supervisor.run(late, DeliveryLease(), patience_s=0.01) is Outcome.DONE
    running.may_end.set()
    assert await first is Outcome.DONE
    assert await supervisor.run(late, DeliveryLease()) is Outcome.DONE, (
        "the room of the first is free again, once"
    )
