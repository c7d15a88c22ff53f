"""The real parts of a worker over simulated edges, joined as `fleet_worker.bootstrap` joins them."""

import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any, cast

from prometheus_client import CollectorRegistry

from fleet_chassis.tasks import owned
from fleet_contracts.topology import CONTROL_CANCELS, DEAD_RAW
from fleet_worker.accounts.choosing import Chooser, Roster
from fleet_worker.accounts.plan import Plan
from fleet_worker.accounts.standings import Standings
from fleet_worker.accounts.upstreams import ChosenLimiter, Upstreams
from fleet_worker.attempting import Attempting
from fleet_worker.bootstrap import Worker
from fleet_worker.cancelling import Canceller
from fleet_worker.conversations.asking import Asking
from fleet_worker.conversations.histories import Keeping
from fleet_worker.conversations.home import Home
from fleet_worker.conversations.line import Line
from fleet_worker.conversations.observing import ConversationObserver
from fleet_worker.conversations.store import StoreHistories
from fleet_worker.conversations.tokens import TokenCounter
from fleet_worker.conversations.turns import FleetConversations
from fleet_worker.deepseek import Clocks, DeepSeek, Endpoints
from fleet_worker.deepseek.auth import auth_of
from fleet_worker.deepseek.sending import Sender
from fleet_worker.delivery import TenantRule
from fleet_worker.door.burying import Burying
from fleet_worker.door.cancels import Cancels
from fleet_worker.door.intake import Intake
from fleet_worker.door.queues import Consumer, request_consumers
from fleet_worker.door.raw_dead_letters import RawDeadLetters
from fleet_worker.door.supervisor import Supervisor
from fleet_worker.failing import Failing
from fleet_worker.handler import Handler
from fleet_worker.janitor import Janitor
from fleet_worker.ledger.building import Built, Foundation, build_ledger
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.store import StoreRecords
from fleet_worker.ledger.times import Times
from fleet_worker.limiter.building import running
from fleet_worker.limiter.estimating import Estimator
from fleet_worker.limiter.limiter import FleetLimiter
from fleet_worker.limiter.observing import LimiterObserver
from fleet_worker.limiter.rules import Rules
from fleet_worker.limiter.store_book import StoreBook
from fleet_worker.observing import Observer
from fleet_worker.parking import ParkingLot
from fleet_worker.prices import published_prices
from fleet_worker.readiness import Readiness
from fleet_worker.replies.delivering import Deliverer
from fleet_worker.replies.opening import RabbitReplies
from fleet_worker.replies.publisher import Publishers
from fleet_worker.retrying import Retrying, RetryPolicy
from fleet_worker.shared_store import SharedStore
from fleet_worker.sharing import Shared
from fleet_worker.standing_still import stand_still
from fleet_worker.upstream_health import Account, Guard, HealthPolicy, StoreHealth
from fleet_worker.upstream_health.account import TellsBalance
from fleet_worker.upstream_health.observing import HealthObserver
from fleet_worker.upstream_health.standstill import Standstill
from simulation.broker import Broker, Message
from simulation.door import Delivered, SimulatedDoor
from simulation.logs import LOG
from simulation.loop import Process
from simulation.publishing import SimulatedPublisher
from simulation.store import StoreLink, StoreServer
from simulation.upstream import SimulatedUpstream, Sockets
from simulation.world import ProcessClock, World

NAMESPACE = "fleet"
ACCOUNT = "default"
MOST_ATTEMPTS = 3
LONGEST_S = 120.0
BEAT_S = 4.0
CLOCKS = Clocks(headers_s=5, first_content_s=15, gap_s=15, after_finish_s=5, total_s=60)
PLAN = Plan.model_validate({"accounts": [{"name": ACCOUNT, "key_env": "K"}]})
PRICES = published_prices()
SILENCE: Any = LOG


@dataclass(frozen=True, slots=True)
class Observers:
    """What the worker tells its operators; made once, for making them takes longer than a run."""

    requests: Observer
    ledger: LedgerObserver
    limiter: LimiterObserver
    health: HealthObserver
    conversations: ConversationObserver


@cache
def _observers(slot: int) -> Observers:
    del slot
    registry = CollectorRegistry()
    return Observers(
        Observer(registry, SILENCE),
        LedgerObserver(registry, SILENCE),
        LimiterObserver(registry, SILENCE),
        HealthObserver(registry, SILENCE),
        ConversationObserver(registry, SILENCE),
    )


class _Well:
    """The account has money."""

    available = True

    async def balance(self) -> TellsBalance:
        return self


@dataclass(slots=True, kw_only=True)
class Settings:
    """How the workers of a run are set up."""

    concurrency: int
    limit: int
    conversations: bool
    """Whether requests are turns of some."""


@dataclass(eq=False, slots=True, kw_only=True)
class Surroundings:
    """Where workers live."""

    world: World
    broker: Broker
    store: StoreServer
    upstream: SimulatedUpstream
    settings: Settings


@dataclass(eq=False, slots=True, kw_only=True)
class Joined:
    """The parts of one worker, as far as they are built."""

    slot: int
    name: str
    around: Surroundings
    process: Process
    clock: ProcessClock
    link: StoreLink
    acked: Callable[[Delivered], None]
    confirmed: Callable[[Message], None]
    parts: AsyncExitStack = field(default_factory=AsyncExitStack)
    """What is closed at the end."""
    door: SimulatedDoor | None = None
    publishers: list[SimulatedPublisher] = field(default_factory=list[SimulatedPublisher])
    built: Built | None = None
    limiter: FleetLimiter | None = None
    worker: Worker | None = None
    """Once it takes requests."""

    async def build(self) -> None:
        """Build everything, and begin to take requests."""
        around, clock, seen = self.around, self.clock, _observers(self.slot)
        world, parts, settings = around.world, self.parts, around.settings
        chance = random.Random(world.chance.getrandbits(64))
        store = SharedStore(cast("Any", self.link), NAMESPACE, clock, CollectorRegistry(), SILENCE)
        await store.check()
        await parts.enter_async_context(owned(store.watch(), SILENCE))
        foundation = Foundation(
            owner=f"{NAMESPACE}:worker:{self.name}",
            worker=self.name,
            times=Times(),
            clock=clock,
            observer=seen.ledger,
            trust=store,
        )
        self.built = built = build_ledger(
            foundation, lambda _: StoreRecords(store, NAMESPACE, foundation.times)
        )
        await store.listen(foundation.owner, built.holds.hear)
        for run in (built.renewing.run, built.disowning.run):
            await parts.enter_async_context(owned(run(), SILENCE))
        self.publishers = [
            SimulatedPublisher(world, around.broker, self.process, name, self.confirmed)
            for name in ("replies", "events")
        ]
        replies_on, events_on = self.publishers
        supervisor = Supervisor(settings.concurrency)
        retrying = Retrying(RetryPolicy(), clock, chance)
        deliverer = Deliverer(Publishers(replies_on, events_on), retrying)
        rules = Rules(concurrency=settings.limit, start=settings.limit, beat_s=BEAT_S, longest_s=LONGEST_S)
        book = StoreBook(store, NAMESPACE, self.name, rules, clock)
        self.limiter = limiter = FleetLimiter(
            book=book,
            worker=self.name,
            rules=rules,
            estimator=Estimator(PRICES, clock),
            clock=clock,
            observer=seen.limiter,
            chance=chance,
        )
        await parts.enter_async_context(running(limiter, book))
        standstill, upstreams, permits = await self._upstreams(store, limiter, seen, chance)
        attempting = Attempting(
            ledger=built.ledger,
            upstream=upstreams,
            most=MOST_ATTEMPTS,
            clock=clock,
            observer=seen.requests,
            prices=PRICES,
        )
        runs = count(1)
        replies = RabbitReplies(deliverer, self.name, lambda: f"{self.name}r{next(runs)}")
        conversations = await self._conversations(store, seen)
        failing = Failing(ledger=built.ledger, conversations=conversations, replies=replies, clock=clock)
        burying = Burying(
            janitor=Janitor(
                ledger=built.ledger,
                failing=failing,
                replies=replies,
                observer=seen.requests,
                clock=clock,
                longest_s=LONGEST_S,
            ),
            replies=replies,
            deliverer=deliverer,
            observer=seen.requests,
            clock=clock,
            worker=self.name,
        )
        handler = Handler(
            attempting=attempting,
            limiter=permits,
            ledger=built.ledger,
            conversations=conversations,
            replies=replies,
            parking=ParkingLot(deliverer, clock, seen.requests),
            retrying=retrying,
            observer=seen.requests,
            clock=clock,
            longest_s=LONGEST_S,
        )
        rule = TenantRule()
        intake = Intake(
            handler=handler,
            supervisor=supervisor,
            burying=burying,
            observer=seen.requests,
            rule=rule,
            clock=clock,
        )
        canceller = Canceller(ledger=built.ledger, failing=failing, retrying=retrying, observer=seen.requests)
        cancels = Cancels(canceller=canceller, burying=burying, observer=seen.requests, rule=rule)
        raw = RawDeadLetters(burying=burying, observer=seen.requests, rule=rule, clock=clock)
        takes = [
            *request_consumers(settings.concurrency, intake.take),
            Consumer(CONTROL_CANCELS, 5, cancels.take, through_drain=True),
            Consumer(DEAD_RAW, 5, raw.take),
        ]
        self.door = door = SimulatedDoor(world, around.broker, self.process, takes, self.acked)
        for publisher in self.publishers:
            publisher.link.connect()
            parts.callback(publisher.close)
        parts.push_async_callback(door.close)
        await door.open()
        await parts.enter_async_context(
            owned(stand_still(door, standstill, clock, random.Random(chance.getrandbits(64))), SILENCE)
        )
        guarding = Shared(store, built.renewing).guard(cast("Any", door), clock)
        await parts.enter_async_context(owned(guarding, SILENCE))
        readiness = Readiness(cast("Any", door), Publishers(replies_on, events_on), lambda: store.is_away)
        self.worker = Worker(
            cast("Any", door), built.ledger, supervisor, deliverer, seen.requests, readiness, ""
        )

    async def _conversations(self, store: SharedStore, seen: Observers) -> FleetConversations:
        line = Line(most=self.around.settings.concurrency)
        channel = f"{NAMESPACE}:turns:{self.name}"
        conversations = FleetConversations(
            Home(
                histories=StoreHistories(store, NAMESPACE, Keeping()),
                asking=Asking("oldest_turns", None, TokenCounter(SILENCE), seen.conversations),
                line=line,
                channel=channel,
                trust=store,
                clock=self.clock,
                observer=seen.conversations,
            )
        )
        if self.around.settings.conversations:
            await store.listen(channel, line.hear)
            await self.parts.enter_async_context(owned(conversations.run(), SILENCE))
        return conversations

    async def _upstreams(
        self, store: SharedStore, limiter: FleetLimiter, seen: Observers, chance: random.Random
    ) -> tuple[Standstill, Upstreams, ChosenLimiter]:
        clock, roster, policy = self.clock, Roster(PLAN), HealthPolicy()
        standstill = Standstill(clock)
        standings = Standings(clock, standstill, lambda model: [one.account for one in roster.serving(model)])
        sender = Sender(Sockets(self.around.upstream, self.process))
        deepseek = DeepSeek(sender, auth_of("key"), Endpoints("http://upstream"), CLOCKS, clock)
        guard = Guard(
            deepseek,
            StoreHealth(store, NAMESPACE, ACCOUNT, policy, ACCOUNT),
            Account(_Well()),
            policy,
            chance,
            seen.health.of(ACCOUNT),
            standings.of(ACCOUNT),
        )
        self.parts.push_async_callback(guard.aclose)
        chooser = Chooser(roster, standings, limiter.has_line, chance)
        upstreams = Upstreams(
            {ACCOUNT: guard}, lambda _: ACCOUNT, chooser, standings, seen.requests, policy.look_s
        )
        return standstill, upstreams, ChosenLimiter(limiter, chooser)
