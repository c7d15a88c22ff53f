"""DeepSeek, or a server that speaks its API, as the worker's source of answers."""

from fleet_worker.deepseek.client import DeepSeek
from fleet_worker.deepseek.clocks import Clocks
from fleet_worker.deepseek.endpoints import Endpoints
from fleet_worker.deepseek.exchange import Exchange
from fleet_worker.deepseek.quirks import KINDS, Quirks

__all__ = ["KINDS", "Clocks", "DeepSeek", "Endpoints", "Exchange", "Quirks"]
