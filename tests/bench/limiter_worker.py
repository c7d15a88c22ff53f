"""One process of the limiter's bench: callers in a loop, each call under a permit.

Started by limiter.py with one JSON object as its argument; writes one JSON line when it ends in peace.
"""

import asyncio
import json
import random
import sys
import time
from typing import Any, Protocol

from limiter_loop import loop_factory
from limiter_rivals import Asking, LocalShare, Polling
from prometheus_client import CollectorRegistry

from fleet_chassis.clock import SystemClock
from fleet_chassis.logging import configure_logging
from fleet_chassis.store import RedisStore, open_store
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import Lane, RequestType
from fleet_worker.completion import Completion, CompletionError, UpstreamAnswer
from fleet_worker.deadline import Deadline
from fleet_worker.limiter import Rules, open_limiter
from fleet_worker.prices import published_prices
from fleet_worker.request import Request

CLOCK = SystemClock()


class Permit(Protocol):
    def release(self, ended: Completion | CompletionError | None) -> None: ...


class Limits(Protocol):
    async def acquire(self, request: Request, deadline: Deadline) -> Permit: ...


def request_of(tenant: str, tokens: int, model: str) -> Request:
    """A request whose estimate is at least its real use: no input, and at most `tokens` of output."""
    return Request(
        correlation_id="c",
        tenant=tenant,
        lane=Lane.INTERACTIVE,
        type=RequestType.CHAT,
        message_id="m",
        model=model,
        body={"max_tokens": tokens},
        payload=b"",
        digest="d",
        stream=False,
        reply_to=None,
    )


def answered(tokens: int) -> Completion:
    return Completion({"usage": {"prompt_tokens": 0, "completion_tokens": tokens}}, None, None, 1)


def refused(limit: int, *, named: bool) -> CompletionError:
    text = f"exceeds your concurrency limit of {limit}" if named else "Too many requests"
    return CompletionError(ErrorCode.RATE_LIMITED, "refused", True, None, UpstreamAnswer(429, None, text))  # noqa: FBT003


class Bench:
    """The callers of one process."""

    def __init__(self, plan: dict[str, Any], limits: Limits) -> None:
        self.plan = plan
        self.limits = limits
        self.ends = 0.0
        self.chance = random.Random(plan["seed"])
        self.waits: dict[str, list[float]] = {}
        self.calls = 0
        self.refused = 0
        self.warm_at = 0.0

    async def caller(self, tenant: str, tokens: int, pause_s: float, model: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.plan["port"])
        while time.monotonic() < self.ends:
            if pause_s:
                await asyncio.sleep(self.chance.uniform(0.5, 1.5) * pause_s)
            asked = time.monotonic()
            try:
                permit = await self.limits.acquire(request_of(tenant, tokens, model), Deadline(self.ends + 1))
            except CompletionError as error:
                self.refused += error.code is ErrorCode.BUDGET_EXCEEDED
                break
            if asked > self.warm_at:
                self.waits.setdefault(tenant, []).append(time.monotonic() - asked)
            low, high = self.plan["seconds"]
            actual = round(tokens * self.chance.uniform(*self.plan.get("actual", (1, 1))))
            writer.write(f"{tenant} {actual} {self.chance.uniform(low, high)}\n".encode())
            answer = (await reader.readline()).split()
            self.calls += 1
            if answer[0] == b"ok":
                permit.release(answered(actual))
            else:
                permit.release(refused(int(answer[1]), named=self.plan.get("named", True)))
                await asyncio.sleep(self.chance.uniform(0, 0.1))
        writer.close()

    async def wait_for_the_others(self) -> None:
        # Processes start when all are there, however long that takes on a busy machine.
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        self.ends = float(await asyncio.to_thread(sys.stdin.readline))

    async def run(self) -> None:
        self.warm_at = time.monotonic() + self.plan.get("warm_s", 0)
        seed = self.plan["seed"]
        here = (one for one in self.plan["callers"] if one.get("only", seed) == seed)
        callers = [one for one in here for _ in range(one["count"])]
        await asyncio.gather(
            *(
                self.caller(
                    one["tenant"],
                    one.get("tokens", 100),
                    one.get("pause_s", 0),
                    one.get("model", "deepseek-flash"),
                )
                for one in callers
            )
        )


async def main() -> None:
    plan = json.loads(sys.argv[1])
    configure_logging("ERROR", "json")
    async with open_store(plan["redis"], 2.0, CLOCK) as store:
        calls = count_scripts(store)
        if plan["limiter"] == "ours":
            rules = Rules(**plan["rules"])
            async with open_limiter(
                rules, published_prices(), CLOCK, CollectorRegistry(), (store, "bench")
            ) as ours:
                await report(Bench(plan, ours), calls)
        elif plan["limiter"] == "polling":
            await report(Bench(plan, Polling(store, plan["rules"]["concurrency"])), calls)
        elif plan["limiter"] == "ping":
            await report(Bench(plan, Asking(store)), calls)
        else:
            await report(Bench(plan, LocalShare(plan["rules"]["concurrency"] // plan["processes"])), calls)


async def report(bench: Bench, calls: list[int]) -> None:
    await bench.wait_for_the_others()
    before = calls[0]
    await asyncio.sleep(bench.plan.get("idle_s", 0))
    idle = calls[0] - before
    await bench.run()
    told = {
        "calls": bench.calls,
        "scripts": calls[0] - before,
        "scripts_idle": idle,
        "refused": bench.refused,
        "waits": bench.waits,
    }
    sys.stdout.write(json.dumps(told) + "\n")


def count_scripts(store: RedisStore) -> list[int]:
    counted, run = [0], store.run

    async def counting(*args: Any) -> Any:
        counted[0] += 1
        return await run(*args)

    store.run = counting  # type: ignore[method-assign]
    return counted


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())
