"""What a running batch does to somebody who asks interactively, and whether it outlives kills.

Prints; asserts nothing. Broker, simulator, worker and batch are processes of their own. The simulator has
DeepSeek's own delays and short answers; every twentieth line is refused by it (422). The batch is killed (-9)
at a quarter, a half and three quarters, and started again each time; meanwhile one caller asks one streamed
request after another. Then a second batch is stopped (SIGSTOP) and let go on in turns, while streamed
requests are asked at a fixed rate, whether or not those before have ended: no slow answer thins out the
samples. How busy the processors were is told too, for where all are taken it is the machine that is measured.

Run: `PYTHONPATH=tests .venv/bin/python tests/bench/batch_beside_interactive.py --lines 20000`
"""

import argparse
import asyncio
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import orjson

from bench.processes import tree_cpu_s
from fleet_chassis.topology import apply
from fleet_cli.console import say
from fleet_cli.stack.processes import start_simulator
from fleet_client import Fleet, Text
from harness.batches import REFUSED, Batch, a_batch, results_in, write_prompts
from harness.broker import shared_broker
from harness.processes import a_fleet
from harness.waiting import until

KILLED_AT = (0.25, 0.5, 0.75)
DEADLINE_S = 3600.0
GAP_S = 0.1
SETTLE_S = 4.0


class Charges:
    """How many calls the simulator has charged, read from its log as it grows."""

    def __init__(self, base_url: str) -> None:
        self._url = f"{base_url}/_simulator/log"
        self._next = 0
        self.count = 0

    async def look(self) -> int:
        def read() -> tuple[bytes, int]:
            with urlopen(f"{self._url}?since={self._next}") as answer:  # noqa: S310 -- our own simulator
                return answer.read(), int(answer.headers["x-next-offset"])

        body, self._next = await asyncio.to_thread(read)
        self.count += sum(orjson.loads(line)["event"] == "charged" for line in body.splitlines())
        return self.count

    async def follow(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(5)


async def told(base_url: str, what: str, body: dict[str, Any]) -> None:
    """Tell the simulator how to behave."""

    def post() -> None:
        request = Request(f"{base_url}/_simulator/{what}", orjson.dumps(body), method="POST")  # noqa: S310 -- as above
        with urlopen(request) as answer:  # noqa: S310 -- as above
            answer.read()

    await asyncio.to_thread(post)


async def first_token_ms(fleet: Fleet) -> float:
    """Milliseconds from asking to the first piece of text."""
    began = time.perf_counter()
    async with aclosing(fleet.stream("Say something short.", thinking=False)) as events:
        found = 0.0
        async for event in events:
            if isinstance(event, Text) and not found:
                found = (time.perf_counter() - began) * 1000
    return found


@dataclass(frozen=True, slots=True)
class Turns:
    """How often the batch is stopped and let go on, and what is asked meanwhile."""

    rounds: int
    each_s: float
    a_second: float


async def some(fleet: Fleet, count: int) -> list[float]:
    found: list[float] = []
    for _ in range(count):
        found.append(await first_token_ms(fleet))
        await asyncio.sleep(GAP_S)
    return found


async def killed_and_ended(batch: Batch, lines: int) -> None:
    for share in KILLED_AT:
        await batch.run_and_kill(round(lines * share), deadline_s=DEADLINE_S)
        say(f"  killed at {batch.settled} of {lines} lines")
    await batch.run(deadline_s=DEADLINE_S)


async def beside(fleet: Fleet, work: asyncio.Task[None]) -> list[float]:
    found: list[float] = []
    while not work.done():
        found.append(await first_token_ms(fleet))
        await asyncio.sleep(GAP_S)
    await work
    return found


async def at_a_rate(fleet: Fleet, turns: Turns) -> list[float]:
    asked: list[asyncio.Task[float]] = []
    began = time.monotonic()
    for number in range(round(turns.each_s * turns.a_second)):
        await asyncio.sleep(max(0.0, began + number / turns.a_second - time.monotonic()))
        asked.append(asyncio.create_task(first_token_ms(fleet)))
    return await asyncio.gather(*asked)


class Phase:
    """What was found in all turns of one kind."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self.found: list[float] = []
        self.lines = 0
        self._processes = processes
        self._took_s = 0.0
        self._cpu_s = dict.fromkeys((*processes, "machine"), 0.0)

    async def measure(self, fleet: Fleet, batch: Batch, turns: Turns) -> None:
        began, lines, before = time.monotonic(), batch.settled, self._cpu()
        self.found.extend(await at_a_rate(fleet, turns))
        self._took_s += time.monotonic() - began
        self.lines += batch.settled - lines
        for name, cpu_s in self._cpu().items():
            self._cpu_s[name] += cpu_s - before[name]

    def shown(self, what: str) -> str:
        cores = "   ".join(f"{name} {cpu_s / self._took_s:.2f}" for name, cpu_s in self._cpu_s.items())
        return f"{shown(what, self.found)}   {self.lines / self._took_s:.0f} lines/s   cores: {cores}"

    def _cpu(self) -> dict[str, float]:
        return {**{name: tree_cpu_s(pid) for name, pid in self._processes.items()}, "machine": busy_s()}


def busy_s() -> float:
    """Processor time that the whole machine has spent on anything."""
    user, nice, system, *_ = map(int, Path("/proc/stat").read_text().split(maxsplit=5)[1:4])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


async def in_turns(
    fleet: Fleet, batch: Batch, turns: Turns, processes: Mapping[str, int]
) -> tuple[Phase, Phase]:
    """First tokens while the batch stands still, and while it runs, in turns: no machine is ever quiet."""
    child = await batch.start()
    still, running = (Phase({**processes, "batch": child.pid}) for _ in range(2))
    try:
        await until(lambda: batch.settled > 0, deadline_s=DEADLINE_S)
        for _ in range(turns.rounds):
            for number, phase in ((signal.SIGSTOP, still), (signal.SIGCONT, running)):
                child.signal(number)
                await asyncio.sleep(SETTLE_S)
                await phase.measure(fleet, batch, turns)
    finally:
        await child.kill()
    return still, running


def shown(what: str, found: list[float]) -> str:
    return (
        f"  {what:<22} n {len(found):>5}   p50 {percentile(found, 50):7.0f} ms   "
        f"p99 {percentile(found, 99):7.0f} ms   load {os.getloadavg()[0]:.1f}"
    )


def percentile(found: list[float], percent: int) -> float:
    return statistics.quantiles(found, n=100)[percent - 1]


async def measure(url: str, folder: Path, lines: int, window: int, turns: Turns) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AMQP_", "REDIS_"))}  # noqa: TID251
    async with AsyncExitStack() as ends:
        simulator, base_url = await start_simulator(environ, folder, 1.0)
        ends.push_async_callback(simulator.stop, grace_s=5)
        await told(base_url, "config", {"lengths": {"content": [10, 30]}})
        await told(base_url, "faults", {"kind": "status", "status": 422, "match": {"prompt": REFUSED}})
        workers = await ends.enter_async_context(a_fleet(url, base_url, folder))
        worker = await workers.start_worker()
        fleet = await ends.enter_async_context(Fleet(url, tenant="people"))
        charges = Charges(base_url)
        following = asyncio.create_task(charges.follow())
        ends.callback(following.cancel)

        await some(fleet, 10)
        batch = a_batch(folder, url, "--concurrency", str(window))
        refused = write_prompts(batch.source, lines, refused_every=20)
        began = time.monotonic()
        during = await beside(fleet, asyncio.create_task(killed_and_ended(batch, lines)))
        took_s = time.monotonic() - began
        following.cancel()
        paid = await charges.look() - 10 - len(during)
        found = results_in(batch.results)
        say(
            f"  {lines} lines in {took_s:.0f} s ({lines / took_s:.0f}/s) with {len(KILLED_AT)} kills: "
            f"{len(found.answered)} answered, {len(found.failed)} failed ({len(refused)} refused by the "
            f"simulator, the same: {found.failed == refused}), {len(found.twice)} twice, {paid} calls paid"
        )
        say(shown("beside the batch", during))

        (folder / "turns").mkdir()
        second = a_batch(folder / "turns", url, "--concurrency", str(window))
        write_prompts(second.source, 100_000)
        processes = {"worker": worker.pid, "simulator": simulator.pid, "all of the bench": os.getpid()}
        still, running = await in_turns(fleet, second, turns, processes)
        say(still.shown("it stands still"))
        say(running.shown("it runs, in turns"))
        for percent in (50, 99):
            quiet, beside_it = (percentile(phase.found, percent) for phase in (still, running))
            say(f"  p{percent}: {beside_it - quiet:+.0f} ms, {(beside_it / quiet - 1) * 100:+.0f} %")


async def main(lines: int, window: int, turns: Turns) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AMQP_", "REDIS_"))}  # noqa: TID251
    with tempfile.TemporaryDirectory() as folder, shared_broker(environ) as broker:
        url = await broker.add_vhost("bench-batch")
        await apply(url)
        await measure(url, Path(folder), lines, window, turns)


if __name__ == "__main__":
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--lines", type=int, default=20_000)
    reading.add_argument("--window", type=int, default=100)
    reading.add_argument("--rounds", type=int, default=6)
    reading.add_argument("--each-s", type=float, default=15)
    reading.add_argument("--a-second", type=float, default=8)
    given = reading.parse_args()
    asyncio.run(main(given.lines, given.window, Turns(given.rounds, given.each_s, given.a_second)))
