"""The record of the upstream's health in the memory of one process."""

from collections import deque
from dataclasses import dataclass, field

from fleet_chassis.clock import Clock
from fleet_worker.upstream_health.circuit import Circuit
from fleet_worker.upstream_health.policy import HealthPolicy
from fleet_worker.upstream_health.record import Admission, Change, Go, Look, Wait
from fleet_worker.upstream_health.signs import Sign

MAX_MODELS = 1000
MAX_CALLS = 10_000


@dataclass(slots=True)
class _Model:
    circuit: Circuit
    ends: deque[tuple[float, bool]] = field(default_factory=deque[tuple[float, bool]])
    """When calls ended, and whether they failed."""
    failures: int = 0
    """Among these: counted along, for a busy window holds thousands."""

    def ended(self, now: float, *, failed: bool, window_s: float) -> None:
        """Note an end, and forget those that left the window."""
        self.ends.append((now, failed))
        self.failures += failed
        while self.ends[0][0] < now - window_s or len(self.ends) > MAX_CALLS:
            self.failures -= self.ends.popleft()[1]

    def forget(self) -> None:
        """Judge anew from here on."""
        self.ends.clear()
        self.failures = 0


@dataclass(slots=True)
class UpstreamMemory:
    """What the accounts of one upstream share: its models' breakers, and the retry budget."""

    models: dict[str, _Model] = field(default_factory=dict[str, _Model])
    tokens: int | None = None
    """What is left of the retry budget; all of it where None."""


class MemoryHealth:
    """Serves one worker: what it learns nobody else knows.

    Args:
        policy: the numbers.
        clock: the time.
        upstream: shared with other accounts of the same upstream.
    """

    def __init__(self, policy: HealthPolicy, clock: Clock, upstream: UpstreamMemory | None = None) -> None:
        self._policy = policy
        self._clock = clock
        self._account = Circuit(policy.look_s, policy.longest_look_s, policy.probe_s)
        self._upstream = upstream or UpstreamMemory()

    async def admit(self, model: str, call: str, *, past_account: bool = False) -> Admission:
        """Whether a call of `model` makes sense now."""
        now = self._clock.monotonic()
        if not past_account:
            match self._account.admits(call, now):
                case Wait() as wait:
                    return wait
                case True:
                    return Look(self._account.code, now - (self._account.since or now))
                case _:
                    pass
        verdict = self._model(model).circuit.admits(call, now)
        return verdict if isinstance(verdict, Wait) else Go(probe=verdict)

    async def report(self, model: str, call: str, sign: Sign, *, probe: bool, credit: int) -> Change:
        """Note how a call ended."""
        now, known = self._clock.monotonic(), self._model(model)
        if probe:
            well = None if sign is Sign.NONE else sign is Sign.WELL
            return known.circuit.probed(call, now, well=well)
        if sign is Sign.NONE or not known.circuit.closed:
            return Change.NOTHING
        self._upstream.tokens = min(self._policy.budget, self._tokens + credit)
        known.ended(now, failed=sign is Sign.ILL, window_s=self._policy.window_s)
        return self._judge(known, now)

    async def pause(self, call: str, code: str) -> bool:
        """Pause the account; a refusal of a call made before the pause changes nothing."""
        now = self._clock.monotonic()
        if self._account.closed or self._account.probe == call:
            return self._account.open(now, code) is Change.OPENED
        return False

    async def heal(self) -> bool:
        """End the account's pause."""
        was_paused = not self._account.closed
        self._account.close()
        return was_paused

    async def spend(self, call: str, cost: int) -> bool:
        """Take `cost` from the retry budget, if it holds so much."""
        del call
        if self._tokens < cost:
            return False
        self._upstream.tokens = self._tokens - cost
        return True

    @property
    def _tokens(self) -> int:
        left = self._upstream.tokens
        return self._policy.budget if left is None else left

    def _judge(self, known: _Model, now: float) -> Change:
        calls = len(known.ends)
        if calls < self._policy.min_calls or known.failures < self._policy.rate * calls:
            return Change.NOTHING
        known.forget()
        return known.circuit.open(now)

    def _model(self, model: str) -> _Model:
        # Callers choose model names; past the bound, strange names share one breaker.
        models = self._upstream.models
        name = model if model in models or len(models) < MAX_MODELS else ""
        if name not in models:
            policy = self._policy
            models[name] = _Model(Circuit(policy.open_s, policy.longest_open_s, policy.probe_s))
        return models[name]
