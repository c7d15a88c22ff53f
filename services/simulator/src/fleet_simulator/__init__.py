"""A faithful DeepSeek to develop and test against."""

from fleet_simulator.answers import expected_completion, expected_text
from fleet_simulator.bursts import Burst
from fleet_simulator.cache import CacheRules
from fleet_simulator.clock import Clock, SystemClock
from fleet_simulator.config import DEFAULT_KEY, INSTANT, Account, Lengths, SimulatorConfig, Timing
from fleet_simulator.curve import Curve
from fleet_simulator.faults import Armed, Fault, Faults, Kind, Match
from fleet_simulator.limits import Limits
from fleet_simulator.log import Event, Log
from fleet_simulator.server import Running, run, serve
from fleet_simulator.sessions import SessionRules
from fleet_simulator.simulator import Simulator

__all__ = [
    "DEFAULT_KEY",
    "INSTANT",
    "Account",
    "Armed",
    "Burst",
    "CacheRules",
    "Clock",
    "Curve",
    "Event",
    "Fault",
    "Faults",
    "Kind",
    "Lengths",
    "Limits",
    "Log",
    "Match",
    "Running",
    "SessionRules",
    "Simulator",
    "SimulatorConfig",
    "SystemClock",
    "Timing",
    "expected_completion",
    "expected_text",
    "run",
    "serve",
]
