"""The workers of a run, and what befalls them."""

from collections.abc import Callable
from dataclasses import dataclass, field

from simulation.broker import Broker
from simulation.caller import Caller
from simulation.door import Delivered
from simulation.joining import Settings, Surroundings
from simulation.links import NOTICED_S, Link
from simulation.scenario import Fault, Scenario, Trouble
from simulation.store import StoreServer
from simulation.upstream import SimulatedUpstream
from simulation.worker import SimulatedWorker
from simulation.world import World

RESTARTS_S = 2.0
"""Until whoever runs workers starts another one."""


@dataclass(eq=False, slots=True)
class Fleet:
    """Workers by slot; one that ends is followed by another."""

    world: World
    broker: Broker
    store: StoreServer
    upstream: SimulatedUpstream
    scenario: Scenario
    acked: Callable[[SimulatedWorker, Delivered], None]
    callers: list[Caller] = field(default_factory=list[Caller])
    slots: list[SimulatedWorker] = field(default_factory=list[SimulatedWorker])
    ever: list[SimulatedWorker] = field(default_factory=list[SimulatedWorker])
    unsteady: list[tuple[str, float, float]] = field(default_factory=list[tuple[str, float, float]])
    """Which process could not be relied on, from when until when."""

    def start(self) -> None:
        """Start every worker, and let the troubles come."""
        self.slots = [self._start(slot) for slot in range(self.scenario.workers)]
        for trouble in self.scenario.troubles:
            self.world.at(trouble.at_s, lambda trouble=trouble: self._befall(trouble))
            if trouble.fault is Fault.STORE_FAILOVER:
                self.world.at(max(0.0, trouble.at_s - trouble.steps / 30), self.store.replicate)

    @property
    def well(self) -> bool:
        """Whether every worker is there and nothing is wrong with it."""
        return all(
            one.alive and one.joined.worker is not None and all(link.open for link in one.links)
            for one in self.slots
        )

    def was_unsteady(self, name: str, since: float, until: float) -> bool:
        """Whether a process could not be relied on at some time."""
        return any(who == name and begun <= until and ended >= since for who, begun, ended in self.unsteady)

    def _start(self, slot: int) -> SimulatedWorker:
        number = sum(one.slot == slot for one in self.ever) + 1
        around = Surroundings(
            world=self.world,
            broker=self.broker,
            store=self.store,
            upstream=self.upstream,
            settings=Settings(
                concurrency=self.scenario.concurrency,
                limit=self.scenario.limit,
                conversations=any(ask.conversation for ask in self.scenario.asks),
            ),
        )
        worker = SimulatedWorker(slot, f"w{slot}x{number}", around, self.acked)
        self.ever.append(worker)
        worker.process.on_death = lambda: self.world.later(0, lambda: self._died(worker))
        worker.on_failed_start = lambda: self._died(worker)
        worker.start()
        return worker

    def _died(self, worker: SimulatedWorker) -> None:
        if worker.ended:
            return
        worker.is_dead()
        self._unsteady(worker, 0)
        self.world.later(RESTARTS_S, lambda: self._replace(worker))

    def _replace(self, worker: SimulatedWorker) -> None:
        if not self.world.over:
            self.slots[worker.slot] = self._start(worker.slot)

    def _unsteady(self, worker: SimulatedWorker, seconds: float) -> None:
        now = self.world.loop.time()
        # Some seconds on: what a trouble began may come to light after it.
        self.unsteady.append((worker.name, now, now + seconds + 20.0))

    def _befall(self, trouble: Trouble) -> None:  # noqa: C901, PLR0912 - one line for each fault
        self.world.note("trouble", str(trouble.fault), f"{trouble.slot} for {trouble.lasts_s:.1f} s")
        worker = self.slots[trouble.slot] if trouble.slot < len(self.slots) else self.slots[0]
        lasts_s = trouble.lasts_s
        match trouble.fault:
            case Fault.KILL:
                self._unsteady(worker, 60)
                worker.process.steps_left = trouble.steps
            case Fault.FREEZE:
                self._freeze(worker, lasts_s)
            case Fault.DRAIN:
                self._drain(worker, lasts_s)
            case Fault.RESET_DOOR:
                self._on_links(worker, _door_of(worker), Link.reset, 0)
            case Fault.CUT_DOOR:
                self._on_links(worker, _door_of(worker), lambda link: link.cut(lasts_s), lasts_s)
            case Fault.RESET_PUBLISHERS:
                self._on_links(worker, _publishers_of(worker), Link.reset, 0)
            case Fault.CUT_PUBLISHERS:
                self._on_links(worker, _publishers_of(worker), lambda link: link.cut(lasts_s), lasts_s)
            case Fault.BROKER_RESTART:
                self._restart_broker(min(lasts_s, 10.0))
            case Fault.CUT_STORE:
                self._cut_store(worker, lasts_s)
            case Fault.ISOLATE:
                self._cut_store(worker, lasts_s)
                self._on_links(worker, worker.links, lambda link: link.cut(lasts_s), lasts_s)
            case Fault.STORE_BREAKS:
                self.store.breaks = 0.3
                self._everybody_unsteady(lasts_s)
                self.world.later(lasts_s, self._store_is_well)
            case Fault.STORE_RESTART | Fault.STORE_FAILOVER:
                self._restart_store(trouble)
            case Fault.STORE_FLUSH:
                self._everybody_unsteady(0)
                self.store.flush()
            case Fault.REPLY_QUEUE_GONE | Fault.REPLY_QUEUE_FULL:
                self._reply_queue(trouble)
            case Fault.CLOCK_JUMP:
                worker.clock.ahead_s += lasts_s * (1 if trouble.steps % 2 else -1)

    def _freeze(self, worker: SimulatedWorker, lasts_s: float) -> None:
        process = worker.process
        if process.stopped:
            return
        self._unsteady(worker, lasts_s)
        process.stop()
        for link in worker.links:
            if lasts_s > NOTICED_S:
                link.given_up_in(NOTICED_S)

        def go_on() -> None:
            self.world.note("trouble", "goes on", worker.name)
            process.go_on(self.world.loop)

        self.world.later(lasts_s, go_on)

    def _drain(self, worker: SimulatedWorker, grace_s: float) -> None:
        if worker.draining or worker.joined.worker is None:
            return
        self._unsteady(worker, grace_s)
        worker.drain(grace_s, lambda: self._died(worker))

    def _on_links(
        self, worker: SimulatedWorker, links: list[Link], do: Callable[[Link], None], lasts_s: float
    ) -> None:
        self._unsteady(worker, lasts_s)
        for link in links:
            do(link)

    def _cut_store(self, worker: SimulatedWorker, lasts_s: float) -> None:
        self._unsteady(worker, lasts_s)
        worker.store.set_cut(cut=True)
        self.world.later(lasts_s, lambda: worker.store.set_cut(cut=False))

    def _restart_broker(self, lasts_s: float) -> None:
        self._everybody_unsteady(lasts_s)
        self.broker.up = False
        for worker in self.slots:
            for link in worker.links:
                link.reset()
        self.world.later(lasts_s, self._broker_is_back)

    def _broker_is_back(self) -> None:
        self.broker.up = True
        self.world.note("broker", "up")

    def _restart_store(self, trouble: Trouble) -> None:
        self._everybody_unsteady(trouble.lasts_s)
        self.store.go_away()
        older = trouble.fault is Fault.STORE_FAILOVER
        self.world.later(trouble.lasts_s, lambda: self.store.come_back(keeps=True, older=older))

    def _store_is_well(self) -> None:
        self.store.breaks = 0.0

    def _everybody_unsteady(self, lasts_s: float) -> None:
        for worker in self.slots:
            self._unsteady(worker, lasts_s)

    def _reply_queue(self, trouble: Trouble) -> None:
        caller = self.callers[trouble.slot % len(self.callers)]
        name = caller.ask.reply_to
        queue = self.broker.queues.get(name or "")
        if name is None or queue is None:
            return
        if trouble.fault is Fault.REPLY_QUEUE_GONE:
            self.broker.delete(name)
            return
        queue.full = True

        def empty() -> None:
            queue.full = False

        self.world.later(trouble.lasts_s, empty)


def _publishers_of(worker: SimulatedWorker) -> list[Link]:
    return [publisher.link for publisher in worker.joined.publishers]


def _door_of(worker: SimulatedWorker) -> list[Link]:
    return [] if worker.joined.door is None else [worker.joined.door.link]
