"""One client on a loop and a thread of its own, in the process that started it."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

from fleet_client.errors import FleetClosed
from fleet_client.face import Face

T = TypeVar("T")

_CLOSE_TIMEOUT_S = 20.0


class Living:
    """A client that has been opened, until `close`.

    Args:
        build: makes the client, on its loop.

    Raises:
        BrokerUnreachable: it can't be opened.
    """

    def __init__(self, build: Callable[[], Face]) -> None:
        self._pid = os.getpid()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=_serve, args=(self._loop,), name="fleet-client", daemon=True)
        self._thread.start()
        self._gate = threading.Lock()
        self._is_over = False
        self._client: Face | None = None
        try:
            self._client = self._wait_for(_opened(build))
        except BaseException:
            self.close()
            raise

    def run(self, work: Callable[[Face], Coroutine[Any, Any, T]]) -> T:
        """Run `work` on the loop and wait for it; whoever interrupts the wait cancels it.

        Raises:
            FleetError: what `work` raises; `FleetClosed` where the client was closed.
        """
        client = self._client
        if client is None:
            raise _closed()
        return self._wait_for(work(client))

    def leave(self, events: AsyncGenerator[Any]) -> None:
        """Close a generator of the client, without waiting for it."""
        with suppress(FleetClosed):
            self._start(events.aclose())

    def close(self) -> None:
        """End calls under way with `FleetClosed`, disconnect, end the thread."""
        client, self._client = self._client, None
        with suppress(FleetClosed, TimeoutError):
            if client is not None:
                self._wait_for(client.__aexit__(None, None, None), _CLOSE_TIMEOUT_S)
        self._stop()
        self._thread.join(_CLOSE_TIMEOUT_S)

    def _wait_for(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError(
                "A callback of the Fleet must not call the same Fleet: it would wait for itself. Call it "
                "elsewhere."
            )
        future = self._start(work)
        try:
            # Each call ends by itself at its own deadline, and all of them when the client is closed.
            return future.result(timeout_s)
        except CancelledError as error:
            raise _closed() from error
        finally:
            future.cancel()

    def _start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        if self._pid == os.getpid():
            # The loop's own end ends what was started by then; after it there is nobody to end anything.
            with self._gate:
                if not self._is_over:
                    return asyncio.run_coroutine_threadsafe(work, self._loop)
        work.close()
        raise _closed()

    def _stop(self) -> None:
        with self._gate:
            if not self._is_over:
                self._is_over = True
                self._loop.call_soon_threadsafe(self._loop.stop)


async def _opened(build: Callable[[], Face]) -> Face:
    return await build().__aenter__()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(asyncio.sleep(0))  # what was started last becomes a task
        _cancel_all(loop)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks))


def _closed() -> FleetClosed:
    return FleetClosed(
        "The Fleet was closed, or began in another process, while this call ran. The same id brings the "
        "answer of a request that was already published."
    )
