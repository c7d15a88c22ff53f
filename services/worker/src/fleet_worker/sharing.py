"""What a worker shares with the others: a store and the ledger in it, or nothing at all."""

import secrets
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aio_pika.exceptions import AMQPError
from prometheus_client import CollectorRegistry

from fleet_chassis.broker import with_heartbeat
from fleet_chassis.clock import Clock
from fleet_chassis.logging import get_log
from fleet_chassis.service import CannotStartError
from fleet_chassis.store import StoreScriptError, StoreUnavailableError, open_store
from fleet_chassis.tasks import owned
from fleet_worker.door.consumer import Door
from fleet_worker.ledger.building import Foundation, build_ledger, build_unshared_ledger
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.renewing import Renewing
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import Times
from fleet_worker.ports import Ledger
from fleet_worker.settings import WorkerSettings
from fleet_worker.shared_store import SharedStore
from fleet_worker.solitude import be_the_only_worker

STORE_AWAY = "store_away"
"""Why the door is shut."""
PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Shared:
    """A store, and what must be done when it is back."""

    store: SharedStore
    renewing: Renewing

    async def guard(self, door: Door, clock: Clock) -> None:
        """Keep the door shut while the store is away, until cancelled."""
        while True:
            await self.store.away()
            await door.pause(STORE_AWAY)
            await self.store.back()
            # First the claims of those who work are renewed, then others may ask for them.
            await self.renewing.renew_all()
            await _resume(door, clock)


@dataclass(frozen=True, slots=True)
class Sharing:
    """The ledger, and the store that it stands on, where there is one."""

    ledger: Ledger
    shared: Shared | None = None

    @property
    def store(self) -> SharedStore | None:
        """The store that is shared, where there is one."""
        return None if self.shared is None else self.shared.store

    @property
    def store_is_away(self) -> bool:
        """Whether there is a store, and it does not answer."""
        return self.shared is not None and self.shared.store.is_away


async def open_sharing(
    settings: WorkerSettings, clock: Clock, registry: CollectorRegistry, parts: AsyncExitStack
) -> Sharing:
    """Open the store and the ledger in it; without a store, make sure that no other worker is there.

    What is opened is closed with `parts`.

    Raises:
        CannotStartError: the store does not answer, or another worker is in the way.
        SettingsError: REDIS_URL is that of no store.
    """
    times = Times(kept_s=settings.ledger_kept_s, bodies_s=settings.ledger_bodies_s)
    observer = LedgerObserver(registry, get_log("ledger"))
    store = await _open_store(settings, clock, registry, parts)
    if store is not None:
        return await _share(
            store,
            settings,
            Foundation(
                owner=f"{settings.namespace}:worker:{secrets.token_hex(8)}",
                worker=settings.worker_name,
                times=times,
                clock=clock,
                observer=observer,
                trust=store,
                starts_unrecorded=settings.store_down == "share",
            ),
            parts,
        )
    if not settings.share_nothing:
        await parts.enter_async_context(
            be_the_only_worker(with_heartbeat(settings.amqp_url.get_secret_value()))
        )
    return Sharing(build_unshared_ledger(settings.worker_name, clock, observer, times))


async def _open_store(
    settings: WorkerSettings, clock: Clock, registry: CollectorRegistry, parts: AsyncExitStack
) -> SharedStore | None:
    if settings.redis_url is None:
        return None
    log = get_log("store")
    url = settings.redis_url.get_secret_value()
    try:
        opened = await parts.enter_async_context(open_store(url, settings.store_timeout_s, clock))
        store = SharedStore(opened, settings.namespace, clock, registry, log)
        await store.check()
    except (StoreUnavailableError, StoreScriptError) as error:
        raise CannotStartError(
            f"The store of REDIS_URL can't be used ({error.__cause__.__class__.__name__}): start it and give "
            "its user the right to write, or unset REDIS_URL to run one worker without a store."
        ) from error
    await parts.enter_async_context(owned(store.watch(), log))
    return store


async def _share(
    store: SharedStore, settings: WorkerSettings, foundation: Foundation, parts: AsyncExitStack
) -> Sharing:
    built = build_ledger(foundation, lambda _: StoreRecords(store, settings.namespace, foundation.times))
    await store.listen(foundation.owner, built.holds.hear)
    for run in (built.renewing.run, built.disowning.run):
        await parts.enter_async_context(owned(run(), get_log("ledger")))
    return Sharing(built.ledger, Shared(store, built.renewing))


async def _resume(door: Door, clock: Clock) -> None:
    while True:
        try:
            await door.resume(STORE_AWAY)
        except (AMQPError, OSError, RuntimeError, TimeoutError):
            await clock.sleep(PAUSE_S)
        else:
            return
