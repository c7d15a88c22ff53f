"""One HTTP call from its arrival to its end, with everything written down."""

import asyncio
import socket
import struct
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

from fleet_simulator.config import Account, Timing
from fleet_simulator.faults import Facts, Fault, Kind, Plan
from fleet_simulator.simulator import Simulator

_LINGER_ZERO = struct.pack("ii", 1, 0)
_LAST_WORDS = 1.0


@dataclass(slots=True)
class Call:
    """What is known about a call so far.

    Attributes:
        number: Its number in the log.
        arrived: Monotonic time of arrival.
        plan: The faults that it meets.
        timing: How long things take for it.
        reason: Why it ended, once that is known.
        sent: Body bytes written.
        started: Whether its answer has begun: from here on it costs money.
    """

    simulator: Simulator
    request: web.Request
    number: int
    trace_id: str
    arrived: float
    timing: Timing
    plan: Plan = field(default_factory=dict[Kind, Fault])
    reason: str = "done"
    sent: int = 0
    started: bool = False

    def note(self, event: str, **fields: object) -> None:
        """Write down what happened to this call."""
        self.simulator.log.add(event, self.number, fields)

    def meet_faults(self, facts: Facts) -> None:
        """Find out which faults this call meets."""
        self.plan = self.simulator.faults.draw(facts, self.simulator.clock.monotonic())
        if self.plan:
            self.note("faulted", kinds=[kind.value for kind in self.plan])

    def seconds(self, kind: Kind) -> float | None:
        """The wait that a fault asks for, or None."""
        fault = self.plan.get(kind)
        return fault.seconds if fault else None

    async def hang(self, seconds: float) -> None:
        """Say nothing, socket open; a client that leaves ends the wait."""
        await self.simulator.clock.sleep(seconds)

    async def hold(self, fault: Fault) -> None:
        """Say nothing, socket open, until the fault is taken away or its seconds are over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(fault.seconds):
                await self.simulator.faults.until_lifted(fault)

    async def reset(self) -> None:
        """Break the connection with RST, after what was written has left."""
        transport = self.request.transport
        if transport is None:
            return
        # A limit of nothing makes "drained" mean that the last byte is with the kernel.
        transport.set_write_buffer_limits(0)
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_LAST_WORDS):
                await self.request.writer.drain()
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()

    def close(self) -> None:
        """Break the connection with FIN: the body ends before its last chunk."""
        if self.request.transport is not None:
            self.request.transport.close()

    @contextmanager
    def place(self, account: Account, model: str) -> Generator[None]:
        """Hold one place of the account's concurrency.

        Raises:
            Refusal: 429.
        """
        limits, pool = self.simulator.limits, {"account": account.name, "model": model}
        with limits.place(account.name, model) as in_flight:
            self.note("admitted", **pool, in_flight=in_flight)
            try:
                yield
            finally:
                self.note("released", **pool, in_flight=limits.in_flight(account.name, model) - 1)
