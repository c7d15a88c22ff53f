"""What the fleet knows of its upstream's health, and what follows: breaker, account pause, retry budget."""

from fleet_worker.upstream_health.account import Account, Standing
from fleet_worker.upstream_health.guard import Guard
from fleet_worker.upstream_health.memory import MemoryHealth, UpstreamMemory
from fleet_worker.upstream_health.policy import HealthPolicy
from fleet_worker.upstream_health.shared import StoreHealth

__all__ = ["Account", "Guard", "HealthPolicy", "MemoryHealth", "Standing", "StoreHealth", "UpstreamMemory"]
