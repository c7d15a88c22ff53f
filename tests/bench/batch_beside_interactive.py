"""What a running batch does to somebody who asks interactively, and whether it outlives kills.

Prints; asserts nothing. Broker, simulator, worker and batch are processes of their own. The simulator has
DeepSeek's own delays and short answers; every twentieth line is refused by it (422). The batch is killed (-9)
at a quarter, a half and three quarters, and started again each time; meanwhile one caller asks one streamed
request after another. Then a second batch is stopped (SIGSTOP) and let go on in turns.

Run: `PYTHONPATH=tests .venv/bin/python tests/bench/batch_beside_interactive.py --lines 20000`
"""

import argparse
import asyncio
import os
import signal
import statistics
import tempfile
import time
from contextlib import AsyncExitStack, aclosing
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import orjson

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
ROUNDS, SAMPLES_A_ROUND = 4, 20


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


async def in_turns(fleet: Fleet, batch: Batch, rounds: int, samples: int) -> tuple[list[float], list[float]]:
    """First tokens while the batch stands still, and while it runs, in turns: no machine is ever quiet."""
    still: list[float] = []
    running: list[float] = []
    child = await batch.start()
    try:
        await until(lambda: batch.settled > 0, deadline_s=DEADLINE_S)
        for _ in range(rounds):
            for number, told_of in ((signal.SIGSTOP, still), (signal.SIGCONT, running)):
                child.signal(number)
                await asyncio.sleep(SETTLE_S)
                told_of.extend(await some(fleet, samples))
    finally:
        await child.kill()
    return still, running


def shown(what: str, found: list[float]) -> str:
    cuts = statistics.quantiles(found, n=100)
    return (
        f"  {what:<22} n {len(found):>5}   p50 {cuts[49]:7.0f} ms   p99 {cuts[98]:7.0f} ms   "
        f"load {os.getloadavg()[0]:.1f}"
    )


async def measure(url: str, folder: Path, lines: int, window: int) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AMQP_", "REDIS_"))}  # noqa: TID251
    async with AsyncExitStack() as ends:
        simulator, base_url = await start_simulator(environ, folder, 1.0)
        ends.push_async_callback(simulator.stop, grace_s=5)
        await told(base_url, "config", {"lengths": {"content": [10, 30]}})
        await told(base_url, "faults", {"kind": "status", "status": 422, "match": {"prompt": REFUSED}})
        workers = await ends.enter_async_context(a_fleet(url, base_url, folder))
        await workers.start_worker()
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
        turns = a_batch(folder / "turns", url, "--concurrency", str(window))
        write_prompts(turns.source, 100_000)
        still, running = await in_turns(fleet, turns, ROUNDS, SAMPLES_A_ROUND)
        say(shown("it stands still", still))
        say(shown("it runs, in turns", running))


async def main(lines: int, window: int) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AMQP_", "REDIS_"))}  # noqa: TID251
    with tempfile.TemporaryDirectory() as folder, shared_broker(environ) as broker:
        url = await broker.add_vhost("bench-batch")
        await apply(url)
        await measure(url, Path(folder), lines, window)


if __name__ == "__main__":
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--lines", type=int, default=20_000)
    reading.add_argument("--window", type=int, default=100)
    given = reading.parse_args()
    asyncio.run(main(given.lines, given.window))
