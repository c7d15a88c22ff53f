"""The simulator's state: what its handlers share, and what tests hold in their hands."""

import random
import uuid
from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

from fleet_simulator.balances import Balances, Left
from fleet_simulator.cache import UNIT, ContextCache
from fleet_simulator.clock import Clock
from fleet_simulator.config import Account, SimulatorConfig
from fleet_simulator.faults import Armed, Fault, Faults
from fleet_simulator.limits import Limits
from fleet_simulator.log import Log
from fleet_simulator.prices import cost_of, in_dollars
from fleet_simulator.requests import ChatRequest, FimRequest
from fleet_simulator.sessions import Sessions
from fleet_simulator.usage import Usage


class Simulator:
    """One simulated DeepSeek.

    Args:
        config: How it behaves; `configure` replaces parts of it while it runs.
        clock: Its time.

    Attributes:
        log: The ground truth of what happened.
        faults: The faults in force.
        limits: Calls in flight.
        sessions: The tokens that keys were exchanged for.
    """

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.log = Log(clock, config.log_capacity)
        self.faults = Faults()
        self.limits = Limits(self._limit_of)
        self._balances = Balances()
        self.sessions = Sessions(clock)
        self._cache = ContextCache()
        self._bursts_set_at = clock.monotonic()
        self._chance = random.Random(config.seed)
        # Chances of their own, so that one behaviour switched on leaves the draws of the others alone.
        self._burst_chance = random.Random(f"bursts {config.seed}")
        self._blank_chance = random.Random(f"blank {config.seed}")
        self._cache_chance = random.Random(f"cache {config.seed}")
        self._calls = count(1)

    def configure(self, **changes: Any) -> None:
        """Change fields of the configuration; calls that run keep what they began with."""
        self.apply(replace(self.config, **changes))

    def apply(self, config: SimulatorConfig) -> None:
        """Take a whole configuration; new bursts count their seconds from now on."""
        if config.bursts is not self.config.bursts:
            self._bursts_set_at = self.clock.monotonic()
        for account in config.accounts:
            before = self.account(account.name)
            if before is not None and _changed_keys_alone(before, account):
                self._balances.keep(before, account)
        self.config = config

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

    def account(self, name: str) -> Account | None:
        """The account as it is set now."""
        return next((account for account in self.config.accounts if account.name == name), None)

    def left(self, account: Account) -> Left:
        """What is left of an account's balance, in its currency."""
        return self._balances.left(account)

    def charge(self, account: Account, model: str, usage: Usage, arrived_ms: int) -> Decimal:
        """Charge a call to an account, at the price of its arrival, and say what it cost."""
        cost = cost_of(model, usage, account.currency, arrived_ms, self.config.holidays)
        payer = self.account(account.name)
        if payer is not None and payer.currency == account.currency:
            self._balances.charge(payer, cost)
        return cost

    def burst_status(self, model: str) -> int | None:
        """The status that a burst refuses this call with, or None."""
        elapsed = self.clock.monotonic() - self._bursts_set_at
        struck = (b for b in self.config.bursts if b.strikes(model, elapsed, self._burst_chance))
        return next((burst.status for burst in struck), None)

    def draws_blank_json(self) -> bool:
        """Whether this answer in JSON mode is one of those that come blank."""
        return self._blank_chance.random() < self.config.blank_json

    def cached_tokens(self, account: Account, request: ChatRequest | FimRequest) -> int:
        """Tokens of the prompt that the context cache knows: whole units, and never the whole prompt."""
        longest = (request.prompt_tokens - 1) // UNIT * UNIT
        if longest <= 0:
            return 0
        rules = self.config.cache
        found = self._cache.hit(_scope(account, request), request.context, rules, self.clock.monotonic())
        lucky = found > 0 and self._cache_chance.random() < rules.hit_probability
        return min(found, longest) if lucky else 0

    def remember(self, account: Account, request: ChatRequest | FimRequest, said: str) -> None:
        """Let the context cache know a prompt, and what was said to it, some seconds from now."""
        readable_from = self.clock.monotonic() + self.config.pace.cache_write
        scope = _scope(account, request)
        self._cache.write(scope, request.context + said, self.config.cache, readable_from)

    def _limit_of(self, name: str, model: str) -> int:
        account = self.account(name)
        if account is None:
            return self.config.limits[model]
        configured = account.limits.get(model, self.config.limits[model])
        dollars = in_dollars(self.left(account).total, account.currency)
        return self.config.curve.limit(configured, float(dollars))


def _changed_keys_alone(before: Account, after: Account) -> bool:
    return before.keys != after.keys and replace(before, keys=after.keys) == after


def _scope(account: Account, request: ChatRequest | FimRequest) -> str:
    # Callers choose the user id, so it stands last: no id can pass for another account's.
    return f"{account.name}/{request.model}/{request.body.get('user_id') or ''}"
