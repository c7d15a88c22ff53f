"""Ledgers to test with."""

import structlog
from prometheus_client import CollectorRegistry

from fleet_chassis.clock import Clock
from fleet_worker.ledger.building import build_unshared_ledger
from fleet_worker.ledger.fleet_ledger import FleetLedger
from fleet_worker.ledger.memory import MAX_BODY_BYTES
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.times import Times


def a_memory_ledger(clock: Clock, max_body_bytes: int = MAX_BODY_BYTES) -> FleetLedger:
    """The ledger of a worker that shares nothing."""
    return build_unshared_ledger("w-1", clock, an_observer(), Times(), max_body_bytes)


def an_observer() -> LedgerObserver:
    return LedgerObserver(CollectorRegistry(), structlog.get_logger())
