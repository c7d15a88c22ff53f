"""A worker with bugs that quote a request wherever Python, or a library, would print it.

Used as a program, with a worker's own environment. It has each bug once, at the first request that comes, and
one that ends the process at the second.
"""

import asyncio
import gc
import logging
import threading
import warnings
from typing import Any

from fleet_chassis.settings import read_settings
from fleet_worker.handler import Handler
from fleet_worker.hold import DeliveryLease
from fleet_worker.main import run
from fleet_worker.outcome import Outcome
from fleet_worker.request import Request
from fleet_worker.settings import WorkerSettings

asked: list[str] = []


class Unraisable:
    """Its end fails where nobody can be told."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __del__(self) -> None:
        raise ValueError(self.text)


def fail(text: str) -> None:
    raise ValueError(text)


async def fail_soon(text: str) -> None:
    fail(text)


async def leak(self: Handler, request: Request, delivery: DeliveryLease) -> Outcome:
    del self, delivery
    text = str(request.body)
    asked.append(text)
    if len(asked) > 1:
        # Nothing between here and the process's end catches it.
        asyncio.get_running_loop().call_soon(lambda: (_ for _ in ()).throw(KeyboardInterrupt(text)))
        await asyncio.Event().wait()
    logging.getLogger("some.library").error("could not send %s", text, exc_info=ValueError(text))
    warnings.warn(text, stacklevel=1)
    asyncio.get_running_loop().call_soon(fail, text)
    nobody_waits_for: Any = asyncio.create_task(fail_soon(text))
    await asyncio.sleep(0)
    del nobody_waits_for
    thread = threading.Thread(target=fail, args=(text,))
    thread.start()
    thread.join()
    Unraisable(text)
    gc.collect()
    try:
        fail(text)
    except ValueError as error:
        raise RuntimeError(text) from error
    return Outcome.DONE


if __name__ == "__main__":
    Handler.handle = leak
    run(read_settings(WorkerSettings))
