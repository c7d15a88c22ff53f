"""The one place where the worker's real parts are built and joined."""

import asyncio
import random
import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aio_pika.exceptions import AMQPError, ChannelNotFoundEntity

from fleet_chassis.broker import UNREACHED, reach_broker, why_unreached, with_heartbeat
from fleet_chassis.clock import Clock, SystemClock
from fleet_chassis.health import serve_health
from fleet_chassis.logging import get_log
from fleet_chassis.metrics import Registry
from fleet_chassis.service import CannotStartError
from fleet_chassis.tasks import owned
from fleet_contracts.topology import CONTROL_CANCELS, DEAD_RAW
from fleet_worker import permitting, postponing
from fleet_worker.accounts.reading import plan_of
from fleet_worker.accounts.terms import prices_of, rules_of
from fleet_worker.attempting import Attempting
from fleet_worker.cancelling import Canceller
from fleet_worker.conversation_parts import open_conversations
from fleet_worker.conversing import Conversations
from fleet_worker.delivery import TenantRule
from fleet_worker.door.burying import Burying
from fleet_worker.door.cancels import Cancels
from fleet_worker.door.consumer import Door
from fleet_worker.door.intake import Intake
from fleet_worker.door.queues import Consumer, request_consumers
from fleet_worker.door.raw_dead_letters import RawDeadLetters
from fleet_worker.door.supervisor import Supervisor
from fleet_worker.door.tenant_queues import TenantQueues
from fleet_worker.door.watchdog import Watchdog
from fleet_worker.failing import Failing
from fleet_worker.handler import Handler
from fleet_worker.janitor import Janitor
from fleet_worker.limiter import ScaleSignal, open_limiter
from fleet_worker.observing import Observer
from fleet_worker.parking import ParkingLot
from fleet_worker.ports import Ledger, Replies
from fleet_worker.readiness import Readiness
from fleet_worker.replies.delivering import Deliverer
from fleet_worker.replies.opening import RabbitReplies
from fleet_worker.replies.publisher import open_publishers
from fleet_worker.retrying import Retrying, RetryPolicy
from fleet_worker.settings import WorkerSettings
from fleet_worker.sharing import open_sharing
from fleet_worker.showing import showing
from fleet_worker.standing_still import stand_still
from fleet_worker.tracing.opening import open_tracing
from fleet_worker.upstream_health.observing import HealthObserver
from fleet_worker.upstream_parts import open_upstreams, watch_balances

CONNECT_TIMEOUT_S = 20.0
LAST_COPIES_S = 10.0
CANCELS_AT_ONCE = 50
RAW_DEAD_LETTERS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker at work."""

    door: Door
    ledger: Ledger
    supervisor: Supervisor
    deliverer: Deliverer
    observer: Observer
    readiness: Readiness
    health_url: str

    async def drain(self, grace_s: float) -> None:
        """Take nothing more, give back what has not started, finish what runs within `grace_s` seconds."""
        self.readiness.draining()
        self.observer.drains()
        await self.door.stop_consuming()
        self.ledger.drain()
        await self.supervisor.drain(grace_s)
        await self.deliverer.settle(LAST_COPIES_S)


@asynccontextmanager
async def start_worker(settings: WorkerSettings) -> AsyncGenerator[Worker]:
    """Build a worker from its settings and let it consume; leaving closes everything.

    Raises:
        CannotStartError: the broker or the store can't be reached, the topology is missing, or another worker
            is in the way.
        SettingsError: a setting is wrong in a way that only its use tells.
    """
    async with AsyncExitStack() as parts:
        try:
            worker = await _build(settings, parts)
        except ChannelNotFoundEntity as error:
            raise CannotStartError(
                "The broker lacks a queue of the fleet; run `fleet topology apply` once, then start again."
            ) from error
        except (AMQPError, OSError, TimeoutError) as error:
            raise CannotStartError(
                f"The broker broke off or refused while the worker was built ({error!r}); see its log, and "
                "whether the user of AMQP_URL has its rights (`fleet topology apply --users` sets them)."
            ) from error
        yield worker


async def _reach(amqp_url: str) -> None:
    try:
        await reach_broker(amqp_url, CONNECT_TIMEOUT_S)
    except UNREACHED as error:
        raise CannotStartError(f"No connection to the broker: {why_unreached(amqp_url, error)}.") from error


async def _build(settings: WorkerSettings, parts: AsyncExitStack) -> Worker:
    clock, registry = SystemClock(), Registry()
    observer = Observer(registry, get_log("worker"), content=settings.log_content)
    amqp_url = with_heartbeat(settings.amqp_url.get_secret_value())
    await _reach(amqp_url)
    sharing = await open_sharing(settings, clock, registry, parts)
    tracing = await parts.enter_async_context(open_tracing(settings, clock, random.Random()))
    ledger = tracing.ledger(sharing.ledger)
    publishers = await parts.enter_async_context(
        open_publishers(
            amqp_url, CONNECT_TIMEOUT_S, plain=settings.plain_publish, on_back=observer.publisher_back
        )
    )
    plan = plan_of(settings)
    supervisor = Supervisor(settings.concurrency)
    retrying = _retrying(settings, clock)
    deliverer = Deliverer(publishers, retrying)
    prices = prices_of(plan, settings)
    shared = None if sharing.store is None else (sharing.store, settings.namespace)
    tenant_queues = TenantQueues(settings.concurrency, get_log("door"))
    rules = rules_of(plan, settings)
    limiter = await parts.enter_async_context(
        open_limiter(
            rules,
            prices,
            clock,
            registry,
            shared,
            tenant_queues.hear,
            settings.metrics_tenants,
        )
    )
    observers = (observer, HealthObserver(registry, get_log("upstream")))
    way = await parts.enter_async_context(
        open_upstreams(settings, plan, clock, observers, sharing.store, limiter, watched=tracing.completions)
    )
    attempting = Attempting(
        ledger=ledger,
        upstream=way.upstream,
        most=settings.attempts,
        clock=clock,
        observer=observer,
        prices=prices,
    )
    conversations = await open_conversations(settings, clock, registry, sharing.store, parts)
    parking = tracing.parking(ParkingLot(deliverer, clock, observer))
    replies = tracing.replies(RabbitReplies(deliverer, settings.worker_name, lambda: secrets.token_hex(4)))
    rule = TenantRule(settings.strict_tenants, settings.trusted())
    failing = Failing(ledger=ledger, conversations=conversations, replies=replies, clock=clock)
    burying = Burying(
        janitor=Janitor(
            ledger=ledger,
            failing=failing,
            replies=replies,
            observer=observer,
            clock=clock,
            longest_s=settings.longest_request_s,
        ),
        replies=replies,
        deliverer=deliverer,
        observer=observer,
        clock=clock,
        worker=settings.worker_name,
    )
    permits = tracing.limiter(way.limiter)
    handler = _handler(settings, attempting, permits, conversations, replies, parking, retrying)
    intake = Intake(
        handler=tracing.handler(handler),
        supervisor=supervisor,
        burying=burying,
        observer=observer,
        rule=rule,
        clock=clock,
    )
    canceller = Canceller(ledger=ledger, failing=failing, retrying=retrying, observer=observer)
    cancels = Cancels(canceller=canceller, burying=burying, observer=observer, rule=rule)
    raw = RawDeadLetters(burying=burying, observer=observer, rule=rule, clock=clock)
    consumers = [
        *request_consumers(settings.concurrency, intake.take),
        Consumer(CONTROL_CANCELS, CANCELS_AT_ONCE, cancels.take, through_drain=True),
        Consumer(DEAD_RAW, RAW_DEAD_LETTERS_AT_ONCE, raw.take),
    ]
    door = Door(amqp_url, consumers, settings.worker_name, observer)
    watchdog = Watchdog(door, lambda: reach_broker(amqp_url, CONNECT_TIMEOUT_S), observer, clock)
    readiness = Readiness(door, publishers, lambda: sharing.store_is_away)
    health_url = await parts.enter_async_context(
        serve_health(
            settings.health_host,
            settings.health_port,
            registry,
            readiness.health(watchdog.why_dead),
            {"/scale": ScaleSignal(rules, clock, shared).read},
        )
    )
    await parts.enter_async_context(showing(registry, readiness, supervisor, settings, clock))
    parts.push_async_callback(door.close)
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        await door.open()
    readiness.started()
    await parts.enter_async_context(owned(watchdog.run(), get_log("door")))
    await parts.enter_async_context(owned(tenant_queues.run(door, intake.take), get_log("door")))
    await parts.enter_async_context(owned(watch_balances(settings, way, limiter, clock), get_log("balance")))
    standing = stand_still(door, way.standstill, clock, random.Random())
    await parts.enter_async_context(owned(standing, get_log("upstream")))
    if sharing.shared is not None:
        await parts.enter_async_context(owned(sharing.shared.guard(door, clock), get_log("store")))
    return Worker(door, sharing.ledger, supervisor, deliverer, observer, readiness, health_url)


def _retrying(settings: WorkerSettings, clock: Clock) -> Retrying:
    policy = RetryPolicy(settings.retry_base_s, settings.retry_longest_s)
    return Retrying(policy, clock, random.Random())


def _handler(
    settings: WorkerSettings,
    attempting: Attempting,
    limiter: permitting.Limiter,
    conversations: Conversations,
    replies: Replies,
    parking: postponing.ParkingLot,
    retrying: Retrying,
) -> Handler:
    return Handler(
        attempting=attempting,
        limiter=limiter,
        ledger=attempting.ledger,
        conversations=conversations,
        replies=replies,
        parking=parking,
        retrying=retrying,
        observer=attempting.observer,
        clock=attempting.clock,
        longest_s=settings.longest_request_s,
    )
