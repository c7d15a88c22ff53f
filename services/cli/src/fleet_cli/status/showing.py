"""Looks at broker, store and workers, and prints how they stand."""

import asyncio
import json
from collections.abc import Mapping, Sequence

from fleet_chassis.clock import Clock
from fleet_chassis.settings import SettingsError
from fleet_chassis.store import StoreScriptError, StoreUnavailableError
from fleet_cli.connecting import BrokerError, connected
from fleet_cli.console import clear, say
from fleet_cli.doctor.asker import Asker, Counts
from fleet_cli.doctor.queues import DEAD_LETTERS, PARKED, SERVED
from fleet_cli.limits.opening import opened_store
from fleet_cli.limits.showing import queues_of_tenants
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.stack_env import addressed, broker_of
from fleet_cli.status.snapshot import LaneView, Snapshot, WorkerView, document, lines, rates
from fleet_cli.status.worker_page import look_at, pages_behind
from fleet_cli.wrong_input import WrongInputError
from fleet_worker.limiter.overview import Overview, View
from fleet_worker.upstream_health.overview import Trouble, troubles

APART_S = 1.0
"""Between two looks: rates need two."""


async def show_status(
    environ: Mapping[str, str], clock: Clock, pages: Sequence[str], *, watch: bool, as_json: bool
) -> bool:
    """Print how the fleet stands, once or again every second until cancelled.

    Returns whether everything that was looked at answered.

    Args:
        environ: names the broker, the store and, in METRICS_URL, workers' metrics pages.
        clock: the time.
        pages: metrics pages in place of those.
        watch: whether to go on.
        as_json: print one JSON object a line.

    Raises:
        WrongInputError: an address is none.
    """
    wanted = pages or [page for page in addressed(environ).get("METRICS_URL", "").split(",") if page]
    before, at = await _look(environ, clock, wanted), clock.monotonic()
    while True:
        await clock.sleep(APART_S)
        now, then = await _look(environ, clock, wanted), clock.monotonic()
        each_second = rates(before, now, then - at)
        if as_json:
            say(json.dumps(document(now, each_second)))
        else:
            if watch:
                clear()
            for line in lines(now, each_second):
                say(line)
        if not watch:
            return now.is_whole
        before, at = now, then


async def _look(environ: Mapping[str, str], clock: Clock, pages: Sequence[str]) -> Snapshot:
    unknown: list[str] = []
    (shared, kept_back), workers = await asyncio.gather(_shared(environ, clock, unknown), _workers(pages))
    lanes = await _lanes(environ, () if shared is None else queues_of_tenants(shared.settings), unknown)
    is_whole = not unknown and all(worker.reached for worker in workers)
    if not pages:
        unknown.append("no worker is looked at: name their metrics pages with --worker or in METRICS_URL")
    return Snapshot(
        lanes=lanes,
        workers=workers,
        sharing=None if shared is None else shared.workers,
        pools=None if shared is None else shared.pools,
        unknown=unknown,
        is_whole=is_whole,
        troubles=kept_back,
    )


async def _workers(pages: Sequence[str]) -> list[WorkerView]:
    return await asyncio.gather(*map(look_at, await pages_behind(pages)))


async def _lanes(
    environ: Mapping[str, str], own_queues: Sequence[str], unknown: list[str]
) -> list[LaneView] | None:
    url = broker_of(addressed(environ))
    try:
        connection = await connected(url, "fleet status")
    except BrokerError as away:
        unknown.append(str(away))
        return None
    found: list[LaneView] = []
    async with connection:
        asker = Asker(connection)
        for queue in (*SERVED, *own_queues, *PARKED, *DEAD_LETTERS):
            counts = await asker.count(queue)
            if isinstance(counts, Counts):
                found.append(LaneView(queue, counts.messages, counts.consumers))
    return found


async def _shared(
    environ: Mapping[str, str], clock: Clock, unknown: list[str]
) -> tuple[View | None, list[Trouble]]:
    try:
        async with opened_store(environ, clock) as (store, namespace):
            view = await Overview(store, namespace, clock).view()
            pools = [pool.pool for pool in view.pools]
            return view, await troubles(store, namespace, pools, clock)
    except WrongInputError:
        return None, []  # a fleet of one worker has no store, which is no trouble
    except (SettingsError, StackError, StoreUnavailableError, StoreScriptError) as away:
        unknown.append(str(away))
        return None, []
