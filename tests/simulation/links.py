"""A connection to the simulated broker: what is on its way when it is lost is lost, or not."""

from collections.abc import Callable

from simulation.broker import Broker
from simulation.loop import Process
from simulation.world import Wire, World

NOTICED_S = 15.0
"""After so long without a heartbeat the broker closes a connection; the worker notices about then."""
RECONNECT_S = 1.0


class Link:
    """One connection of a process, which comes back by itself.

    Args:
        world: the run.
        broker: the other end.
        process: whose it is.
        name: for the history.
        closed: called at the broker when it knows that the connection is gone.
        lost: called in the process when it knows.
        back: called in the process when it stands again.
    """

    def __init__(
        self,
        world: World,
        broker: Broker,
        process: Process,
        name: str,
        closed: Callable[[], None],
        lost: Callable[[], None],
        back: Callable[[], None],
    ) -> None:
        self._world, self.broker, self._process, self._name = world, broker, process, name
        self._closed, self._lost, self._back = closed, lost, back
        self.open = False
        """Whether the process believes that it stands."""
        self._stands = False
        """Whether the broker does."""
        self._cut = False
        self._ended = False
        self._number = 0
        self._held: list[tuple[Wire, Callable[[], None]]] = []
        self._there, self._home = Wire(world), Wire(world)

    def connect(self) -> None:
        """Connect, now or when the broker is back."""
        if self._ended or self._process.dead or self.open:
            return
        if not self.broker.up or self._cut or self._process.stopped or self._world.over:
            self._world.later(RECONNECT_S, self.connect)
            return
        self._number += 1
        self.open = self._stands = True
        self._there, self._home = Wire(self._world), Wire(self._world)
        self._in_process(self._back)

    def say(self, do: Callable[[], object]) -> None:
        """Have the broker do something, unless the connection is lost on the way."""
        number = self._number

        def arrive() -> None:
            if number != self._number or not self._stands or self._world.over:
                return
            if self._cut:
                self._held.append((self._there, arrive))
            else:
                do()

        if self.open:
            self._there.carry(arrive)

    def bring(self, do: Callable[[], object]) -> None:
        """Have the process do something, unless the connection is lost on the way."""
        number = self._number

        def arrive() -> None:
            if number != self._number or not self.open or self._world.over:
                return
            if self._cut:
                self._held.append((self._home, arrive))
            else:
                self._in_process(do)

        if self._stands:
            self._home.carry(arrive)

    def reset(self) -> None:
        """Break it: both ends know at once, or nearly."""
        if self._stands:
            self._world.note(self._name, "connection reset")
        self._close_there()
        self._world.later(self._world.chance.random() * 0.1, self._close_here(self._number))

    def cut(self, seconds: float) -> None:
        """Let nothing through for so long; each end gives it up by itself if that is too long."""
        if self._cut or not self.open:
            return
        self._world.note(self._name, "connection cut", f"{seconds:.1f} s")
        self._cut = True
        number, chance = self._number, self._world.chance
        if seconds > NOTICED_S:
            self._world.later(NOTICED_S, lambda: self._close_there() if number == self._number else None)
            self._world.later(NOTICED_S * (0.5 + chance.random()), self._close_here(number))
        self._world.later(seconds, self._heal)

    def given_up_in(self, seconds: float) -> None:
        """The process is silent, so the broker closes the connection; it learns when it goes on."""
        number = self._number

        def give_up() -> None:
            if number == self._number and self._stands:
                self._close_there()
                self._close_here(number)()

        self._world.later(seconds, give_up)

    def end(self) -> None:
        """Close it for good: the process is gone, or leaves."""
        self._ended = True
        self.open = False
        self._close_there()

    def _heal(self) -> None:
        self._cut = False
        held, self._held = self._held, []
        for wire, arrive in held:
            wire.carry(arrive)

    def _close_there(self) -> None:
        if self._stands:
            self._stands = False
            self._closed()

    def _close_here(self, number: int) -> Callable[[], None]:
        def close() -> None:
            if number == self._number and self.open and not self._ended:
                self._close_there()
                self.open = False
                self._in_process(self._lost)
                self._world.later(RECONNECT_S, self.connect)

        return close

    def _in_process(self, do: Callable[[], object]) -> None:
        self._world.loop.call_soon(do, context=self._process.context)
