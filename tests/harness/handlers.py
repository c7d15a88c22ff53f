"""A handler with real parts but for the upstream and the replies."""

import json
import random
from dataclasses import replace
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from fleet_worker.attempting import Attempting
from fleet_worker.completion import Delta
from fleet_worker.handler import Handler
from fleet_worker.hold import DeliveryLease
from fleet_worker.ledger.fleet_ledger import FleetLedger
from fleet_worker.limiter import in_memory
from fleet_worker.observing import Observer
from fleet_worker.outcome import Outcome
from fleet_worker.parking import ParkingLot
from fleet_worker.prices import published_prices
from fleet_worker.request import Request
from fleet_worker.retrying import Retrying, RetryPolicy
from harness.clock import HandClock
from harness.conversations import in_memory_conversations
from harness.ledgers import a_memory_ledger
from harness.limiters import a_limiter_observer
from harness.requests import a_response
from harness.worker_fakes import OpenUpstream, RecordingReplies, Rungs, ScriptedCompletions, Step, Whole

HI, THERE = Delta({"content": "Hi "}), Delta({"content": "there"})


class House:
    """A handler with real parts but for the upstream and the replies."""

    def __init__(self, *scripts: list[Step], limit: int = 10) -> None:
        self.clock = HandClock()
        self.completions = ScriptedCompletions(*scripts)
        self.replies = RecordingReplies()
        self.upstream = OpenUpstream(self.completions)
        self.rungs = Rungs()
        observer = Observer(CollectorRegistry(), structlog.get_logger())
        ledger = a_memory_ledger(self.clock)
        self.handler = Handler(
            attempting=Attempting(
                ledger=ledger, upstream=self.upstream, most=3, clock=self.clock, observer=observer
            ),
            limiter=in_memory(limit, published_prices(), self.clock, a_limiter_observer()),
            ledger=ledger,
            conversations=in_memory_conversations(self.clock),
            replies=self.replies,
            parking=ParkingLot(self.rungs, self.clock, observer),
            retrying=Retrying(RetryPolicy(), self.clock, random.Random(0)),
            observer=observer,
            clock=self.clock,
            longest_s=600,
        )

    def use(self, ledger: FleetLedger) -> None:
        attempting = replace(self.handler.attempting, ledger=ledger)
        self.handler = replace(self.handler, ledger=ledger, attempting=attempting)

    async def handle(self, request: Request) -> Outcome:
        return await self.handler.handle(request, DeliveryLease())

    def last_body(self) -> dict[str, Any]:
        return json.loads(self.replies.terminals[-1].body)


def whole(content: str = "Hi there") -> Whole:
    return Whole(a_response(content))
