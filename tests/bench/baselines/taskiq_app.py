"""taskiq with a task that does nothing: RabbitMQ by its own broker, results in the store.

Run: `python -m bench.baselines.taskiq_app COUNT` asks, with the worker of `peers.py` beside it.
"""

import asyncio
import os
import sys
import time
from importlib import import_module
from typing import Any

# Only `make bench` installs them.
_amqp: Any = import_module("taskiq_aio_pika")
_redis: Any = import_module("taskiq_redis")
IN_FLIGHT = 100
_results = _redis.RedisAsyncResultBackend(os.environ["BENCH_REDIS_URL"])  # noqa: TID251 - both of its processes are told this way
broker = _amqp.AioPikaBroker(os.environ["BENCH_AMQP_URL"], qos=IN_FLIGHT).with_result_backend(_results)  # noqa: TID251


async def nothing(number: int) -> int:
    return number


task: Any = broker.task(task_name="nothing")(nothing)


async def main(count: int) -> None:
    await broker.startup()
    began, room = time.perf_counter(), asyncio.Semaphore(IN_FLIGHT)

    async def ask(number: int) -> None:
        async with room:
            asked = await task.kiq(number)
            result = await asked.wait_result(timeout=60, check_interval=0.005)
        assert result.return_value == number

    await asyncio.gather(*map(ask, range(count)))
    sys.stdout.write(f"{time.perf_counter() - began}\n")
    sys.stdout.flush()
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
