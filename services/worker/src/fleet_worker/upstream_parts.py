"""Builds the worker's way to its upstreams: each account's client, and the guard before it."""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_chassis.logging import get_log
from fleet_chassis.settings import SettingsError
from fleet_worker.accounts.choosing import Chooser, Roster
from fleet_worker.accounts.credentials import auth_of_account, keys_of
from fleet_worker.accounts.plan import AccountPlan, Plan, UpstreamPlan
from fleet_worker.accounts.standings import Standings
from fleet_worker.accounts.upstreams import ChosenLimiter, Upstreams
from fleet_worker.deepseek import Clocks, DeepSeek, Endpoints
from fleet_worker.deepseek.probe import Probe
from fleet_worker.deepseek.sending import Sender
from fleet_worker.deepseek.transport import open_http
from fleet_worker.deepseek.users import Users
from fleet_worker.limiter import FleetLimiter
from fleet_worker.observing import Observer
from fleet_worker.ports import Completions
from fleet_worker.settings import WorkerSettings
from fleet_worker.shared_store import SharedStore
from fleet_worker.upstream_health import (
    Account,
    Guard,
    HealthPolicy,
    MemoryHealth,
    StoreHealth,
    UpstreamMemory,
)
from fleet_worker.upstream_health.keys import DEEPSEEK
from fleet_worker.upstream_health.observing import HealthObserver
from fleet_worker.upstream_health.record import HealthRecord
from fleet_worker.upstream_health.standstill import Standstill

LOOK_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Way:
    """The way to the upstreams."""

    limiter: ChosenLimiter
    upstream: Upstreams
    standstill: Standstill
    probes: Mapping[str, Probe]
    """By account, where its upstream tells the balance."""


@asynccontextmanager
async def open_upstreams(
    settings: WorkerSettings,
    plan: Plan,
    clock: Clock,
    observers: tuple[Observer, HealthObserver],
    store: SharedStore | None,
    limiter: FleetLimiter,
    *,
    watched: Callable[[Completions, str], Completions] = lambda completions, _: completions,
) -> AsyncGenerator[Way]:
    """The guarded upstreams of all accounts, their health known to all who share `store`.

    Leaving closes their connections. `watched` may put something around what makes the calls to a base URL.

    Raises:
        SettingsError: one can't be called as the settings say.
    """
    observer, health_observer = observers
    policy, roster = _policy(settings), Roster(plan)
    standstill = Standstill(clock)
    standings = Standings(clock, standstill, lambda model: [one.account for one in roster.serving(model)])
    memories: defaultdict[str, UpstreamMemory] = defaultdict(UpstreamMemory)
    guards: dict[str, Guard] = {}
    probes: dict[str, Probe] = {}
    async with AsyncExitStack() as parts:
        for account in plan.accounts:
            line = await parts.enter_async_context(
                _opened(settings, plan.upstream_of(account), account, clock)
            )
            guards[account.name] = guard = Guard(
                watched(line.deepseek, line.base_url),
                _health(settings, account, policy, clock, store or memories[account.upstream]),
                Account(line.probe),
                policy,
                random.Random(),
                health_observer.of(account.name),
                standings.of(account.name),
            )
            parts.push_async_callback(guard.aclose)
            if plan.upstream_of(account).quirks().balance:
                probes[account.name] = line.probe
        chooser = Chooser(roster, standings, limiter.has_line, random.Random())
        upstream_of = {account.name: account.upstream for account in plan.accounts}
        upstreams = Upstreams(
            guards, upstream_of.__getitem__, chooser, standings, observer, settings.account_look_s
        )
        yield Way(ChosenLimiter(limiter, chooser), upstreams, standstill, probes)


@asynccontextmanager
async def probing_account(
    settings: WorkerSettings, plan: Plan, account: AccountPlan, clock: Clock
) -> AsyncGenerator[tuple[str, Probe]]:
    """The base URL of an account and a probe of it, closed at the end.

    Raises:
        SettingsError: it can't be called as the settings say.
    """
    async with _opened(settings, plan.upstream_of(account), account, clock) as line:
        yield line.base_url, line.probe


async def watch_balances(settings: WorkerSettings, way: Way, limiter: FleetLimiter, clock: Clock) -> None:
    """Look at each account's balance now and then, until cancelled; returns at once where that is off."""
    if not settings.balance_poll_s:
        return
    async with asyncio.TaskGroup() as watching:
        for name, probe in way.probes.items():
            log = get_log("balance").bind(account=name)
            watch = limiter.balance_watch(probe, settings.balance_low, log, name)
            watching.create_task(watch.run(settings.balance_poll_s, clock))


@dataclass(frozen=True, slots=True)
class _Line:
    """The connections of one account."""

    deepseek: DeepSeek
    probe: Probe
    base_url: str


@asynccontextmanager
async def _opened(
    settings: WorkerSettings, upstream: UpstreamPlan, account: AccountPlan, clock: Clock
) -> AsyncGenerator[_Line]:
    keys = keys_of(account, settings, clock)
    base_url = upstream.base_url or settings.deepseek_base_url
    endpoints = _endpoints(base_url, settings, upstream, account)
    async with open_http(LOOK_TIMEOUT_S) as http:
        auth = auth_of_account(upstream, keys, http, clock)
        sender = Sender.open(settings.connect_timeout_s, pushes=not settings.plain_read)
        quirks, users = upstream.quirks(), _users(settings)
        deepseek = DeepSeek(sender, auth, endpoints, _clocks(settings), clock, quirks, users)
        try:
            yield _Line(deepseek, Probe(http, auth, endpoints, clock, LOOK_TIMEOUT_S), base_url)
        finally:
            await deepseek.aclose()
            await auth.aclose()


def _endpoints(
    base_url: str, settings: WorkerSettings, upstream: UpstreamPlan, account: AccountPlan
) -> Endpoints:
    beta_url = upstream.beta_url
    if upstream.kind != DEEPSEEK:
        # Other servers keep everything below one base.
        beta_url = beta_url or base_url
    elif upstream.base_url is None:
        beta_url = beta_url or settings.deepseek_beta_url
    try:
        return Endpoints(base_url, beta_url)
    except ValueError as error:
        raise SettingsError(f"The upstream of account {account.name} can't be called: {error}.") from error


def _health(
    settings: WorkerSettings,
    account: AccountPlan,
    policy: HealthPolicy,
    clock: Clock,
    kept_in: SharedStore | UpstreamMemory,
) -> HealthRecord:
    if isinstance(kept_in, UpstreamMemory):
        return MemoryHealth(policy, clock, kept_in)
    return StoreHealth(kept_in, settings.namespace, account.name, policy, account.upstream)


def _users(settings: WorkerSettings) -> Users:
    secret = settings.user_id_secret
    return Users(secret.get_secret_value() if secret else None)


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
