"""The simulator's state: what its handlers share, and what tests hold in their hands."""

import random
import uuid
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from fleet_simulator.clock import Clock
from fleet_simulator.config import SimulatorConfig
from fleet_simulator.faults import Armed, Fault, Faults
from fleet_simulator.limits import Limits
from fleet_simulator.log import Log


class Simulator:
    """One simulated DeepSeek.

    Args:
        config: How it behaves; `configure` replaces parts of it while it runs.
        clock: Its time.

    Attributes:
        log: The ground truth of what happened.
        faults: The faults in force.
        limits: Calls in flight.
    """

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.log = Log(clock, config.log_capacity)
        self.faults = Faults()
        self.limits = Limits(self._limit_of)
        self._chance = random.Random(config.seed)
        self._calls = count(1)

    def configure(self, **changes: Any) -> None:
        """Change fields of the configuration; calls that run keep what they began with."""
        self.config = replace(self.config, **changes)

    def inject(self, fault: Fault) -> Armed:
        """Put a fault in force from now on."""
        return self.faults.add(fault, self.clock.monotonic())

    def next_call(self) -> int:
        """The number of a new HTTP call."""
        return next(self._calls)

    def new_trace_id(self) -> str:
        """A value for `x-ds-trace-id`."""
        return f"{self._chance.getrandbits(128):032x}"

    def new_uuid(self) -> str:
        """An id for a completion, or the request id of a 401."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def cached_tokens(self, user_id: str | None, body: Mapping[str, Any]) -> int:
        """Tokens of the prompt that the context cache already knows: none yet."""
        del user_id, body
        return 0

    def _limit_of(self, account: str, model: str) -> int:
        for known in self.config.accounts:
            if known.name == account and model in known.limits:
                return known.limits[model]
        return self.config.limits[model]
