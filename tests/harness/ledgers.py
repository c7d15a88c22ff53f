"""Ledgers to test with."""

from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from fleet_chassis.clock import Clock
from fleet_contracts.grammar import Lane
from fleet_worker.hold import Facts
from fleet_worker.ledger.answers import Taken
from fleet_worker.ledger.building import build_unshared_ledger
from fleet_worker.ledger.fleet_ledger import FleetLedger
from fleet_worker.ledger.memory import MAX_BODY_BYTES
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.record import Claimant, Head, Holder
from fleet_worker.ledger.times import Times

FACTS = Facts("deepseek.reply.acme.1", "deepseek-flash", Lane.INTERACTIVE, stream=True)


def a_memory_ledger(clock: Clock, max_body_bytes: int = MAX_BODY_BYTES) -> FleetLedger:
    """The ledger of a worker that shares nothing."""
    return build_unshared_ledger("w-1", clock, an_observer(), Times(), max_body_bytes)


def an_observer() -> LedgerObserver:
    return LedgerObserver(CollectorRegistry(), structlog.get_logger())


def a_claimant(owner: str = "a", **changes: Any) -> Claimant:
    """Who claims the usual request."""
    fields: dict[str, Any] = {"owner": owner, "identity": "chat.v1:d", "facts": FACTS}
    return Claimant(**{**fields, **changes})


def a_holder(taken: Taken, owner: str = "a", **changes: Any) -> Holder:
    """Whoever was given that claim, and still holds its delivery."""
    fields: dict[str, Any] = {
        "owner": owner,
        "fence": taken.fence,
        "identity": "chat.v1:d",
        "facts": FACTS,
        "attempts": taken.attempts,
        "attempts_before": taken.attempts,
        "void": "",
        "restates": True,
    }
    return Holder(**{**fields, **changes})


def a_head(digest: str = "one") -> Head:
    return Head("result", "c-1:final", 1, "result", digest)
