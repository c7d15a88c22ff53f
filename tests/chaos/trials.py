"""One request, one trouble that a broken step can't survive, and what the checker says of it.

With whole workers the same trouble breaks no promise: else the checker would prove nothing.
"""

import asyncio
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from chaos.asks import a_simulator, ask
from chaos.broken_steps import Step
from chaos.caller import Caller, a_chaos_caller
from chaos.checker import check
from chaos.events import EventLog, read_events
from chaos.plan import Plan
from chaos.report import Report, Residue
from fleet_cli.stack.child import Child
from fleet_simulator.server import serve
from harness.processes import Fleet, a_fleet
from harness.proxy import a_proxy_before
from harness.waiting import until

CALM = Plan(refused=0, cut=0)
REACHED_WITHIN_S = 40.0
ENDED_WITHIN_S = 60.0
LOST_AFTER_S = 15.0
"""Nobody else has a request whose delivery is acknowledged; so long a wait is only to be fair."""


class Reached(NamedTuple):
    """Where the first worker comes to its trouble, which trouble it is, and how many ends are heard then."""

    point: str
    signal: signal.Signals
    ends: int


TROUBLES = {
    # Its end is told and its delivery is not acknowledged: the second worker tells an end too.
    Step.PUBLISH_BEFORE_COMMIT: Reached("published", signal.SIGKILL, 2),
    Step.ACK_FIRST: Reached("streaming", signal.SIGKILL, 1),
    # It has an end to commit, is taken for dead, and wakes when another one has ended the request.
    Step.NO_FENCE: Reached("earned", signal.SIGSTOP, 2),
}


async def trial(step: Step, amqp_url: str, store_url: str, folder: Path, *, broken: bool) -> Report:
    """What the checker says of one request whose first worker is in trouble at the worst moment."""
    seen = folder / "caller.jsonl"
    with seen.open("wb") as file:
        log = EventLog(file)
        async with (
            serve(a_simulator(CALM)) as simulator,
            a_fleet(amqp_url, simulator.base_url, folder, REDIS_URL=store_url) as fleet,
            a_chaos_caller(amqp_url, log) as caller,
        ):
            await _play(step, amqp_url, fleet, caller, folder / "reached", broken=broken)
            charged = len(simulator.log.events(kind="charged"))
    return check(read_events(seen), Residue(charged=charged))


async def _play(step: Step, url: str, fleet: Fleet, caller: Caller, mark: Path, *, broken: bool) -> None:
    trouble = TROUBLES[step]
    async with a_proxy_before(url) as proxy:
        first = await fleet.start_failing_worker(
            trouble.point,
            mark,
            AMQP_URL=proxy.before(url),
            CHAOS_BREAK=step if broken else "",
            CHAOS_SIGNAL=trouble.signal.name,
        )
        await caller.ask("trial", ask(0))
        await until(mark.exists, deadline_s=REACHED_WITHIN_S)
        proxy.reset()
        await fleet.start_worker()
        if trouble.signal is signal.SIGSTOP:
            await _wake_when_ended(first, caller)
        patience_s = LOST_AFTER_S if broken and step is Step.ACK_FIRST else ENDED_WITHIN_S
        with suppress(TimeoutError):
            await until(lambda: caller.ends >= trouble.ends, deadline_s=patience_s)


async def _wake_when_ended(stopped: Child, caller: Caller) -> None:
    try:
        async with asyncio.timeout(ENDED_WITHIN_S):
            await caller.until_answered(ENDED_WITHIN_S)
    finally:
        stopped.signal(signal.SIGCONT)
