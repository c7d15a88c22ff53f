"""What the shared ledger costs a short request, against the one in memory. Prints; asserts nothing.

Broker, store, worker and caller are real; the upstream answers at once, so that nothing hides the difference.

Run: `PYTHONPATH=tests .venv/bin/python tests/bench/shared_ledger.py`
"""

import asyncio
import os
import statistics
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from uuid import uuid4

from fleet_chassis.topology import apply
from harness.broker import SharedBroker, shared_broker
from harness.house import House, a_house
from harness.store import a_store

BODY = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
WARM, COUNTED = 50, 300


async def measure(broker: SharedBroker, redis_url: str) -> tuple[list[float], list[float]]:
    """Milliseconds from publish to result, in memory and in the store, in turns: no machine is ever quiet."""
    async with AsyncExitStack() as houses:
        without, shared = [
            await houses.enter_async_context(a_house(await _place(broker), REDIS_URL=url, log_level="error"))
            for url in ("", redis_url)
        ]
        for _ in range(WARM):
            await _ask(without)
            await _ask(shared)
        took = [(await _ask(without), await _ask(shared)) for _ in range(COUNTED)]
    return [first for first, _ in took], [second for _, second in took]


async def _place(broker: SharedBroker) -> str:
    url = await broker.add_vhost(f"bench-{uuid4().hex[:8]}")
    await apply(url)
    return url


async def _ask(house: House) -> float:
    began = time.perf_counter()
    await house.caller.ask(BODY)
    await house.caller.until_end()
    return (time.perf_counter() - began) * 1000


def _line(name: str, took: list[float]) -> str:
    p95 = statistics.quantiles(took, n=20)[-1]
    return f"{name:<20} p50 {statistics.median(took):6.2f} ms   p95 {p95:6.2f} ms"


async def main(environ: Mapping[str, str]) -> None:
    with shared_broker(environ) as broker:
        async with a_store(environ) as store:
            without, shared = await measure(broker, store.url)
    more = statistics.median(second - first for first, second in zip(without, shared, strict=True))
    print(_line("in memory", without))  # noqa: T201
    print(_line(f"in {store.label}", shared))  # noqa: T201
    print(f"the store costs {more:.2f} ms in the middle of {COUNTED} pairs")  # noqa: T201


if __name__ == "__main__":
    private = {name: value for name, value in os.environ.items() if not name.startswith(("AMQP_", "REDIS_"))}  # noqa: TID251
    asyncio.run(main(private))
