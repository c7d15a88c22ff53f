"""Celery with a task that does nothing, as its own documentation sets it up: prefork, results over AMQP.

Run: `python -m bench.baselines.celery_app COUNT` asks, with the worker of `peers.py` beside it.
"""

import os
import sys
import time
from importlib import import_module
from typing import Any

celery: Any = import_module("celery")  # only `make bench` installs it
app = celery.Celery("bench", broker=os.environ["BENCH_AMQP_URL"], backend="rpc://")  # noqa: TID251 - both of its processes are told this way
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=50)


def nothing(number: int) -> int:
    return number


task: Any = app.task(nothing, name="nothing")


def main(count: int) -> None:
    began = time.perf_counter()
    answers = celery.group(task.s(number) for number in range(count))().get(timeout=60)
    assert sorted(answers) == list(range(count))
    sys.stdout.write(f"{time.perf_counter() - began}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
