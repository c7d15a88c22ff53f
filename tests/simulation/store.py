"""The simulated store: one server that fails over, restarts and forgets; workers' connections to it."""

from collections.abc import Callable, Sequence
from typing import Any

from fleet_chassis.store import Script, StoreUnavailableError
from simulation.memory_redis import MemoryRedis
from simulation.world import ProcessClock, Wire, World

TIMEOUT_S = 1.0
UP_FOR_MS = 3_600_000
SLOW_AGAIN_S = 0.2
"""Until a connection that broke, and its subscriptions, stand again."""

Hear = Callable[[bytes], None]


class StoreServer:
    """Where the fleet's records lie."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.up = True
        self.breaks = 0.0
        """How often a step's answer is lost, or the step itself."""
        self.links: list[StoreLink] = []
        self.run_id = b"run-1"
        self._runs = 1
        self.redis = self._server()
        self.redis.began_ms -= UP_FOR_MS
        self._replica: dict[bytes, Any] = {}

    def replicate(self) -> None:
        """The replica is as far as this; a failover goes back to it."""
        self._replica = self.redis.copied()

    def go_away(self) -> None:
        """Nobody answers."""
        self.up = False
        for link in self.links:
            link.drop()
        self.world.note("store", "down")

    def come_back(self, *, keeps: bool, older: bool = False) -> None:
        """Another run of the server: with everything, with what its replica had, or with nothing."""
        kept = self._replica if older else self.redis.data
        self._runs += 1
        self.run_id = b"run-%d" % self._runs
        self.redis = self._server()
        if keeps or older:
            self.redis.data = kept
        self.up = True
        self.world.note("store", "up", "older" if older else "whole" if keeps else "empty")

    def flush(self) -> None:
        """It forgets everything, and goes on."""
        self.redis.data.clear()
        self.redis.ends_ms.clear()
        self.world.note("store", "flushed")

    def _server(self) -> MemoryRedis:
        return MemoryRedis(self.world.now_ms, self._tell, self._listeners)

    def _tell(self, channel: bytes, message: bytes) -> int:
        heard = [link for link in self.links if link.listens(channel)]
        for link in heard:
            link.bring(channel, message)
        return len(heard)

    def _listeners(self, channel: bytes) -> int:
        return sum(link.listens(channel) for link in self.links)


class StoreLink:
    """A worker's connections to the store; stands where `fleet_chassis.store.RedisStore` does."""

    def __init__(self, world: World, server: StoreServer, clock: ProcessClock) -> None:
        self._world = world
        self._server = server
        self._clock = clock
        self._there, self._back = Wire(world), Wire(world)
        self._channels: dict[bytes, Hear] = {}
        self._subscribed = True
        self._gone = False
        self.cut = False
        """Nothing comes through, either way."""
        self.run_id: bytes | None = server.run_id
        self.changed_at = float("-inf")
        server.links.append(self)

    async def run(self, script: Script, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        """As `RedisStore.run`."""
        return await self._ask(lambda: self._server.redis.run(script, keys, args))

    async def command(self, *command: Any) -> Any:
        """As `RedisStore.command`."""
        return await self._ask(lambda: self._server.redis.do(*command))

    async def listen(self, channel: str, hear: Hear) -> None:
        """As `RedisStore.listen`."""
        await self._ask(lambda: self._channels.update({channel.encode(): hear}))

    def listens(self, channel: bytes) -> bool:
        """Whether the server knows a subscription of this worker."""
        return self._subscribed and not self._gone and channel in self._channels

    def bring(self, channel: bytes, message: bytes) -> None:
        """Bring a message to the worker, unless it is lost on the way."""
        hear, process = self._channels[channel], self._clock.process

        def arrive() -> None:
            if self._works() and self._subscribed:
                self._world.loop.call_soon(hear, message, context=process.context)

        self._back.carry(arrive)

    def drop(self) -> None:
        """The connections break; what is under way is lost, and messages until they stand again."""
        self._subscribed = False
        self._world.later(SLOW_AGAIN_S, self._subscribe)

    def set_cut(self, *, cut: bool) -> None:
        """Cut the worker off the store, or end that; the server notices at once that it listens no more."""
        self.cut = cut
        self.drop()

    def end(self) -> None:
        """The process is gone."""
        self._gone = True

    def _works(self) -> bool:
        return self._server.up and not self.cut and not self._world.over

    def _subscribe(self) -> None:
        if self._works():
            self._subscribed = True
            self._greet()
        elif not self._gone and not self._world.over:
            self._world.later(SLOW_AGAIN_S, self._subscribe)

    def _greet(self) -> None:
        if self.run_id != self._server.run_id:
            self.run_id = self._server.run_id
            self.changed_at = self._clock.monotonic()

    async def _ask(self, do: Callable[[], Any]) -> Any:
        answer = self._world.loop.create_future()
        chance, breaks = self._world.chance, self._server.breaks
        lost_there, lost_back = chance.random() < breaks / 2, chance.random() < breaks / 2
        # As redis-py's caller does where the connection breaks before an answer came.
        twice = chance.random() < breaks

        def fail() -> None:
            if not answer.done():
                answer.set_exception(StoreUnavailableError("the simulated store does not answer"))

        def bring(value: Any) -> None:
            if not self._works() or lost_back:
                self._world.later(TIMEOUT_S, fail)
            elif not answer.done():
                answer.set_result(value)

        def execute() -> None:
            if not self._works() or lost_there:
                self._world.later(TIMEOUT_S if self._server.up else 0.0, fail)
                return
            self._greet()
            try:
                value = _done(do, again=twice)
            except Exception as error:  # noqa: BLE001 - a script's mistake goes to who asked
                if not answer.done():
                    answer.set_exception(error)
                return
            self._back.carry(lambda: bring(value))

        self._there.carry(execute)
        return await answer


def _done(do: Callable[[], Any], *, again: bool) -> Any:
    value = do()
    return do() if again else value
