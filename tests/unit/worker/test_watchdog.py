"""When a consumer counts as dead, and when a worker asks to be restarted."""

from dataclasses import dataclass, field

from fleet_worker.delivery import Delivery
from fleet_worker.door.queues import Consumer
from fleet_worker.door.watchdog import PATIENCE_S, Watchdog
from fleet_worker.outcome import Outcome
from harness.clock import HandClock


async def nothing(delivery: Delivery) -> Outcome:
    del delivery
    return Outcome.DONE


ONE = Consumer("deepseek.requests", 10, nothing)


@dataclass
class AnyDoor:
    """A door of one consumer that is as a test says."""

    known: bool = True
    room: bool = True
    ready: int = 0
    came: int = 0
    away: bool = False
    begun: int = 0
    told: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    broker_away: bool = False
    clock: HandClock = field(default_factory=HandClock)

    def consumers(self) -> list[Consumer]:
        return [ONE]

    def taken(self, one: Consumer) -> int:
        del one
        return self.came

    def has_room(self, one: Consumer) -> bool:
        del one
        return self.room

    async def is_known(self, one: Consumer) -> bool:
        del one
        if self.away:
            raise TimeoutError
        return self.known

    async def ready_in(self, queue: str) -> int:
        del queue
        return self.ready

    async def begin_anew(self, one: Consumer) -> None:
        del one
        self.begun += 1

    def consumer_revived(self, queue: str, why: str) -> None:
        self.told.append((queue, why))

    async def reach(self) -> None:
        if self.broker_away:
            raise ConnectionRefusedError

    def watchdog(self) -> Watchdog:
        return Watchdog(self, self.reach, self, self.clock)


async def test_a_consumer_is_begun_anew_where_messages_wait_and_none_comes():
    door = AnyDoor(ready=3)
    watchdog = door.watchdog()
    await watchdog.look()
    assert door.begun == 0
    await watchdog.look()
    assert (door.begun, door.told) == (1, [("deepseek.requests", "silent")])


async def test_a_consumer_to_which_something_came_meanwhile_is_left_alone():
    door = AnyDoor(ready=3)
    watchdog = door.watchdog()
    for came in range(5):
        door.came = came
        await watchdog.look()
    assert door.begun == 0


async def test_a_consumer_without_room_or_without_waiting_messages_is_left_alone():
    for door in (AnyDoor(ready=3, room=False), AnyDoor(ready=0)):
        watchdog = door.watchdog()
        for _ in range(4):
            await watchdog.look()
        assert door.begun == 0


async def test_a_consumer_that_its_own_channel_does_not_know_is_begun_anew():
    door = AnyDoor(known=False)
    watchdog = door.watchdog()
    await watchdog.look()
    await watchdog.look()
    assert door.told == [("deepseek.requests", "gone")]


async def test_a_connection_that_stays_dead_while_the_broker_answers_asks_for_a_restart():
    door = AnyDoor(away=True)
    watchdog = door.watchdog()
    await watchdog.look()
    assert watchdog.why_dead() is None
    door.clock.advance(PATIENCE_S)
    assert watchdog.why_dead() is not None
    door.away = False
    await watchdog.look()
    assert watchdog.why_dead() is None


async def test_nobody_is_restarted_while_the_broker_is_away():
    door = AnyDoor(away=True, broker_away=True)
    watchdog = door.watchdog()
    await watchdog.look()
    door.clock.advance(2 * PATIENCE_S)
    await watchdog.look()
    assert watchdog.why_dead() is None
