"""DeepSeek as the worker's source of answers."""

from fleet_worker.deepseek.client import DeepSeek
from fleet_worker.deepseek.clocks import Clocks
from fleet_worker.deepseek.endpoints import Endpoints

__all__ = ["Clocks", "DeepSeek", "Endpoints"]
