"""The limiter: keeps the whole fleet inside the account's limits, each tenant inside its own."""

from fleet_worker.limiter.building import in_memory, open_limiter
from fleet_worker.limiter.limiter import FleetLimiter
from fleet_worker.limiter.observing import LimiterObserver
from fleet_worker.limiter.rules import BEAT_S, Rules
from fleet_worker.limiter.scaling import ScaleSignal

__all__ = ["BEAT_S", "FleetLimiter", "LimiterObserver", "Rules", "ScaleSignal", "in_memory", "open_limiter"]
