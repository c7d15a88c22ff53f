"""One process of a worker, from its start to its end."""

from collections.abc import Callable
from dataclasses import dataclass, field

from simulation.broker import Message
from simulation.door import Delivered
from simulation.joining import Joined, Surroundings
from simulation.links import Link
from simulation.loop import Process
from simulation.store import StoreLink
from simulation.world import ProcessClock


@dataclass(eq=False, slots=True)
class SimulatedWorker:
    """One process of a worker, from its start to its end."""

    slot: int
    name: str
    around: Surroundings
    acked: Callable[["SimulatedWorker", Delivered], None]
    process: Process = field(init=False)
    clock: ProcessClock = field(init=False)
    store: StoreLink = field(init=False)
    joined: Joined = field(init=False)
    on_failed_start: Callable[[], object] = lambda: None
    ended: bool = False
    confirmed: list[Message] = field(default_factory=list[Message])
    """What it knows to be in a queue."""
    draining: bool = False

    def __post_init__(self) -> None:
        """The process exists; nothing runs in it yet."""
        world = self.around.world
        self.process = Process(self.name)
        self.clock = ProcessClock(world, self.process)
        self.store = StoreLink(world, self.around.store, self.clock)
        self.joined = Joined(
            slot=self.slot,
            name=self.name,
            around=self.around,
            process=self.process,
            clock=self.clock,
            link=self.store,
            acked=lambda delivered: self.acked(self, delivered),
            confirmed=self.confirmed.append,
        )

    @property
    def links(self) -> list[Link]:
        """Its connections to the broker: the door's first."""
        door = self.joined.door
        return [*([] if door is None else [door.link]), *(one.link for one in self.joined.publishers)]

    @property
    def alive(self) -> bool:
        """Whether it is there."""
        return not self.process.dead

    def start(self) -> None:
        """Begin, in a task of its own process."""
        self.around.world.note(self.name, "starts")
        loop = self.around.world.loop
        loop.call_soon(lambda: loop.create_task(self._start()), context=self.process.context)

    def drain(self, grace_s: float, after: Callable[[], None]) -> None:
        """As SIGTERM: give back what has not begun, finish what runs, close."""
        self.draining = True
        self.around.world.note(self.name, "drains", f"{grace_s:.1f} s")
        loop = self.around.world.loop
        loop.call_soon(lambda: loop.create_task(self._drain(grace_s, after)), context=self.process.context)

    def is_dead(self) -> None:
        """The process is gone: the other ends of its connections see them closed."""
        self.ended = True
        self.process.kill()
        self.around.world.note(self.name, "is dead")
        self.store.end()
        for link in self.links:
            link.end()
        self.around.upstream.died(self.process)

    async def _start(self) -> None:
        try:
            await self.joined.build()
        except Exception as error:  # noqa: BLE001 - as a process that can't start: it ends, and is started anew
            self.around.world.note(self.name, "can't start", type(error).__name__)
            await self.joined.parts.aclose()
            self.around.world.later(0, self.on_failed_start)

    async def _drain(self, grace_s: float, after: Callable[[], None]) -> None:
        if self.joined.worker is not None:
            await self.joined.worker.drain(grace_s)
        await self.joined.parts.aclose()
        self.around.world.later(0, after)
