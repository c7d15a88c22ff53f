"""Builds the worker's way to its upstream: DeepSeek's client, and the guard before it."""

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_chassis.clock import Clock
from fleet_chassis.logging import get_log
from fleet_chassis.settings import SettingsError
from fleet_worker.deepseek import Clocks, DeepSeek, Endpoints
from fleet_worker.deepseek.probe import probing
from fleet_worker.limiter import FleetLimiter
from fleet_worker.ports import Completions
from fleet_worker.prices import Prices, published_prices, read_prices
from fleet_worker.settings import WorkerSettings
from fleet_worker.shared_store import SharedStore
from fleet_worker.upstream_health import Account, Guard, HealthPolicy, MemoryHealth, StoreHealth
from fleet_worker.upstream_health.observing import HealthObserver
from fleet_worker.upstream_health.record import HealthRecord
from fleet_worker.upstream_health.standstill import Standstill

LOOK_TIMEOUT_S = 10.0


@asynccontextmanager
async def open_upstream(
    settings: WorkerSettings,
    clock: Clock,
    observer: HealthObserver,
    store: SharedStore | None,
    watched: Callable[[Completions], Completions] = lambda completions: completions,
) -> AsyncGenerator[Guard]:
    """The guarded upstream, its health known to all who share `store`; leaving closes its connections.

    `watched` may put something around what makes the calls.

    Raises:
        SettingsError: it can't be called as the settings say.
    """
    try:
        endpoints = Endpoints(settings.deepseek_base_url, settings.deepseek_beta_url)
        key = settings.deepseek_api_key.get_secret_value()
        deepseek = DeepSeek.open(endpoints, key, _clocks(settings), clock)
    except ValueError as error:
        raise SettingsError(f"The upstream can't be called: {error}.") from error
    policy = _policy(settings)
    async with probing(endpoints, key, clock, LOOK_TIMEOUT_S) as probe:
        guard = Guard(
            watched(deepseek),
            _health(settings, policy, clock, store),
            Account(probe),
            policy,
            random.Random(),
            observer,
            Standstill(clock),
        )
        try:
            yield guard
        finally:
            await guard.aclose()
            await deepseek.aclose()


def prices_of(settings: WorkerSettings) -> Prices:
    """The price list of the settings, or DeepSeek's published one.

    Raises:
        SettingsError: the file holds none.
    """
    if not settings.prices_file:
        return published_prices()
    try:
        return read_prices(Path(settings.prices_file))
    except ValueError as error:
        raise SettingsError(f"FLEET_PRICES_FILE is wrong: {error}.") from error


async def watch_balance(settings: WorkerSettings, limiter: FleetLimiter, clock: Clock) -> None:
    """Look at the account's balance now and then, until cancelled; returns at once where that is off."""
    if not settings.balance_poll_s:
        return
    endpoints = Endpoints(settings.deepseek_base_url, settings.deepseek_beta_url)
    key = settings.deepseek_api_key.get_secret_value()
    async with probing(endpoints, key, clock, LOOK_TIMEOUT_S) as probe:
        watch = limiter.balance_watch(probe, settings.balance_low, get_log("balance"))
        await watch.run(settings.balance_poll_s, clock)


def _health(
    settings: WorkerSettings, policy: HealthPolicy, clock: Clock, store: SharedStore | None
) -> HealthRecord:
    if store is None:
        return MemoryHealth(policy, clock)
    return StoreHealth(store, settings.namespace, settings.account, policy)


def _clocks(settings: WorkerSettings) -> Clocks:
    return Clocks(
        connect_s=settings.connect_timeout_s,
        headers_s=settings.headers_timeout_s,
        first_content_s=settings.first_content_timeout_s,
        gap_s=settings.content_gap_timeout_s,
        total_s=settings.total_timeout_s,
    )


def _policy(settings: WorkerSettings) -> HealthPolicy:
    return HealthPolicy(
        window_s=settings.breaker_window_s,
        min_calls=settings.breaker_min_calls,
        rate=settings.breaker_rate,
        open_s=settings.breaker_open_s,
        look_s=settings.account_look_s,
        held_s=settings.retry_held_s,
        budget=settings.retry_budget,
    )
