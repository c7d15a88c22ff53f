"""What ends requests without an answer, with a real ledger in memory and no broker."""

import random
from dataclasses import dataclass, field

import structlog
from prometheus_client import CollectorRegistry

from fleet_worker.cancelling import Canceller
from fleet_worker.delivery import TenantRule
from fleet_worker.door.burying import Burying
from fleet_worker.door.cancels import Cancels
from fleet_worker.door.raw_dead_letters import RawDeadLetters
from fleet_worker.failing import Failing
from fleet_worker.janitor import Janitor
from fleet_worker.observing import Observer
from fleet_worker.ports import UndeliveredError
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.retrying import Retrying, RetryPolicy
from harness.clock import HandClock
from harness.conversations import in_memory_conversations
from harness.ledgers import a_memory_ledger
from harness.worker_fakes import RecordingReplies


@dataclass
class Surely:
    """Keeps what must not be lost, or loses it."""

    kept: list[Outgoing] = field(default_factory=list[Outgoing])
    away: bool = False

    async def deliver_surely(self, message: Outgoing) -> None:
        if self.away:
            raise UndeliveredError("nobody took it")
        self.kept.append(message)


class Graveyard:
    """Everything that buries, and what it buried and told."""

    def __init__(self, rule: TenantRule | None = None) -> None:
        self.clock = HandClock()
        self.rule = rule or TenantRule()
        self.replies = RecordingReplies()
        self.surely = Surely()
        self.ledger = a_memory_ledger(self.clock)
        self.observer = Observer(CollectorRegistry(), structlog.get_logger())
        self.conversations = in_memory_conversations(self.clock)
        failing = Failing(
            ledger=self.ledger, conversations=self.conversations, replies=self.replies, clock=self.clock
        )
        self.janitor = Janitor(
            ledger=self.ledger,
            failing=failing,
            replies=self.replies,
            observer=self.observer,
            clock=self.clock,
            longest_s=60,
        )
        self.burying = Burying(
            janitor=self.janitor,
            replies=self.replies,
            deliverer=self.surely,
            observer=self.observer,
            clock=self.clock,
            worker="w-1",
        )
        self.canceller = Canceller(
            ledger=self.ledger,
            failing=failing,
            retrying=Retrying(RetryPolicy(), self.clock, random.Random(0)),
            observer=self.observer,
        )
        self.cancels = Cancels(
            canceller=self.canceller, burying=self.burying, observer=self.observer, rule=self.rule
        )
        self.raw = RawDeadLetters(
            burying=self.burying, observer=self.observer, rule=self.rule, clock=self.clock
        )

    @property
    def codes(self) -> list[str]:
        """The codes of the dead letters."""
        return [letter.headers["fleet-dead-code"] for letter in self.surely.kept]
