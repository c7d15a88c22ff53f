"""A connection to the store that was reset a moment ago, on the event loop that services run on."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.service import run_service
from fleet_chassis.store import RedisStore, open_store
from harness.proxy import a_proxy_before

pytestmark = pytest.mark.sockets

RESETS = 20
HEARD_WITHIN_S = 10.0

Reset = Callable[[], Awaitable[None]]


async def after_resets(redis_url: str, use: Callable[[RedisStore, Reset], Awaitable[None]]) -> None:
    """Use a store through a proxy as a service does, in a thread of its own: here is another event loop."""
    async with a_proxy_before(redis_url) as proxy:
        here = asyncio.get_running_loop()

        async def reset_here() -> None:
            proxy.reset()

        async def reset() -> None:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(reset_here(), here))

        async def main(_stop: asyncio.Event) -> None:
            async with open_store(proxy.before(redis_url), 2, SystemClock()) as store:
                await use(store, reset)

        await asyncio.to_thread(_run_without_signals, main)


async def _without_signals(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    await main(asyncio.Event())


def _run_without_signals(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        # Signals belong to the main thread; everything else is as in a service.
        patched.setattr("fleet_chassis.service._with_signals", _without_signals)
        run_service(main)


async def test_a_command_right_after_a_reset_is_asked_again_and_answered(store_url: str):
    async def use(store: RedisStore, reset: Reset) -> None:
        for number in range(RESETS):
            await reset()
            await asyncio.sleep(0)
            assert await store.command("INCR", "asked") >= number + 1

    await after_resets(store_url, use)


async def test_a_subscription_is_made_anew_after_every_reset(store_url: str):
    async def use(store: RedisStore, reset: Reset) -> None:
        heard = asyncio.Event()
        await store.listen("news", lambda _message: heard.set())
        for _ in range(RESETS):
            await reset()
            heard.clear()
            async with asyncio.timeout(HEARD_WITHIN_S):
                while not heard.is_set():
                    await store.command("PUBLISH", "news", "x")
                    await asyncio.sleep(0.01)

    await after_resets(store_url, use)
