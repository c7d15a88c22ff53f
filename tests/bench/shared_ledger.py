"""What the shared ledger costs a short request, against the one in memory. Prints; asserts nothing.

Broker, store, worker and caller are real; the upstream answers at once, so that nothing hides the difference.

Run: `PYTHONPATH=tests .venv/bin/python tests/bench/shared_ledger.py`
"""

import asyncio
import os
import statistics
import time
from collections.abc import Mapping
from uuid import uuid4

from fleet_chassis.topology import apply
from harness.broker import SharedBroker, shared_broker
from harness.house import House, a_house
from harness.store import a_store

BODY = {"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
WARM, COUNTED, ROUNDS = 50, 300, 3


async def measure(broker: SharedBroker, redis_url: str) -> list[float]:
    """Milliseconds from publish to result of each request, one after the other."""
    url = await broker.add_vhost(f"bench-{uuid4().hex[:8]}")
    await apply(url)
    async with a_house(url, REDIS_URL=redis_url, log_level="error") as house:
        for _ in range(WARM):
            await _ask(house)
        return [await _ask(house) for _ in range(COUNTED)]


async def _ask(house: House) -> float:
    began = time.perf_counter()
    await house.caller.ask(BODY)
    await house.caller.until_end()
    return (time.perf_counter() - began) * 1000


async def main(environ: Mapping[str, str]) -> None:
    with shared_broker(environ) as broker:
        async with a_store(environ) as store:
            for _ in range(ROUNDS):
                for name, redis_url in (("in memory", ""), (f"in {store.label}", store.url)):
                    took = await measure(broker, redis_url)
                    tenths = statistics.quantiles(took, n=20)
                    print(f"{name:<20} p50 {statistics.median(took):6.2f} ms   p95 {tenths[-1]:6.2f} ms")  # noqa: T201


if __name__ == "__main__":
    private = {name: value for name, value in os.environ.items() if not name.startswith(("AMQP_", "REDIS_"))}  # noqa: TID251
    asyncio.run(main(private))
