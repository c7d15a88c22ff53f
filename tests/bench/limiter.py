"""What the limiter keeps and costs: real processes, a real store, the provider's log as the truth.

    make bench-limiter
    PYTHONPATH=tests:tests/bench .venv/bin/python tests/bench/limiter.py [scenario ...] [--seconds 20]

Prints a line for each figure and a table at the end. Starts a store of its own, or empties that at --redis.
All scenarios but `soak` take less than ten minutes; `soak` is for when it is named, as in
`make bench-limiter ARGS='soak --calls 1000000 --soak-file /tmp/soak.json'`.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from limiter_queue import own_queue
from limiter_report import Figure, say, table
from limiter_scenarios import (
    Scenario,
    concurrency,
    fairness,
    hidden,
    kills,
    money,
    rates,
    uncontended,
    uneven,
)
from limiter_soak import soak

from harness.store import a_store

SCENARIOS: dict[str, Scenario] = {
    one.__name__: one
    for one in (uncontended, concurrency, kills, rates, hidden, fairness, uneven, money, own_queue, soak)
}
UNASKED = [name for name in SCENARIOS if name != "soak"]


@asynccontextmanager
async def a_private_store(args: argparse.Namespace) -> AsyncGenerator[None]:
    """The store at --redis, or one that lives as long as the block."""
    if args.redis:
        yield
        return
    private = {name: value for name, value in os.environ.items() if not name.startswith(("AMQP_", "REDIS_"))}  # noqa: TID251
    async with a_store(private, appendonly=False) as store:
        args.redis = store.url
        yield


async def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", default=UNASKED, help=", ".join(SCENARIOS))
    parser.add_argument("--redis", default="", help="URL of a store to be emptied; its own where unset")
    parser.add_argument("--seconds", type=float, default=20, help="of most scenarios")
    parser.add_argument("--processes", type=int, default=8, help="workers")
    parser.add_argument("--calls", type=int, default=100_000, help="soak: how many in all")
    parser.add_argument("--round", type=float, default=60, help="soak: seconds of a round")
    parser.add_argument("--soak-file", default="", help="soak: remembers what was done, to go on with it")
    args = parser.parse_args()
    figures = list[Figure]()
    async with a_private_store(args):
        for name in args.scenarios:
            figures += say([figure async for figure in SCENARIOS[name](args)])
    table(figures)


if __name__ == "__main__":
    asyncio.run(main())
