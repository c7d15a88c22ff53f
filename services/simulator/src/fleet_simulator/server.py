"""Running a simulator: inside a test, or as a process of its own."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aiohttp import web

from fleet_simulator.app import build_app
from fleet_simulator.clock import Clock, SystemClock
from fleet_simulator.config import SimulatorConfig
from fleet_simulator.faults import Armed, Fault, Faults
from fleet_simulator.limits import Limits
from fleet_simulator.log import Log
from fleet_simulator.simulator import Simulator

_BACKLOG = 4096
_GRACE = 0.05


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator that listens.

    Attributes:
        base_url: Where it listens, as in `http://127.0.0.1:8123`; add `/beta` for the beta features.
        simulator: Its state.
    """

    base_url: str
    simulator: Simulator

    @property
    def log(self) -> Log:
        """The ground truth of what happened."""
        return self.simulator.log

    @property
    def faults(self) -> Faults:
        """The faults in force."""
        return self.simulator.faults

    @property
    def limits(self) -> Limits:
        """Calls in flight, and their peaks."""
        return self.simulator.limits

    def balance(self, account: str = "default") -> Decimal:
        """What is left of an account's balance, in its currency.

        Raises:
            KeyError: There is no such account.
        """
        found = self.simulator.account(account)
        if found is None:
            raise KeyError(account)
        return self.simulator.left(found).total

    def inject(self, fault: Fault) -> Armed:
        """Put a fault in force from now on."""
        return self.simulator.inject(fault)

    def configure(self, **changes: Any) -> None:
        """Change fields of the configuration, as in `configure(limits={"deepseek-flash": 5})`."""
        self.simulator.configure(**changes)


@asynccontextmanager
async def serve(
    config: SimulatorConfig,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Clock | None = None,
) -> AsyncGenerator[Running]:
    """Run a simulator on this event loop for the length of an `async with`.

    Calls that still run at the end are broken off.

    Args:
        config: How it behaves.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        clock: Its time; the machine's own when left out.

    Raises:
        OSError: The port is taken.
    """
    simulator = Simulator(config, clock or SystemClock())
    runner = web.AppRunner(
        build_app(simulator), access_log=None, handler_cancellation=True, shutdown_timeout=_GRACE
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=_BACKLOG)
        await site.start()
        bound = runner.addresses[0][1]
        yield Running(f"http://{_in_url(host)}:{bound}", simulator)
    finally:
        await runner.cleanup()


def run(config: SimulatorConfig, host: str = "127.0.0.1", port: int = 0) -> None:
    """Run a simulator in the foreground until SIGINT or SIGTERM; its URL is the first line on stdout.

    Raises:
        OSError: The port is taken.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve_until_told(config, host, port))


async def _serve_until_told(config: SimulatorConfig, host: str, port: int) -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    async with serve(config, host=host, port=port) as running:
        sys.stdout.write(f"{running.base_url}\n")
        sys.stdout.flush()
        await told.wait()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    # Only a process of its own needs it, and Windows does not have it.
    import uvloop

    return uvloop.new_event_loop


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
