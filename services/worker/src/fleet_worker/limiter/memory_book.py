"""Permits in the memory of one process: the same rules as in the store, without other workers."""

import math
from collections.abc import Sequence

from fleet_chassis.clock import Clock
from fleet_contracts.grammar import Lane
from fleet_worker.limiter.memory_parts import Learned, Purse, Rates, periods_of, resets_at_ms
from fleet_worker.limiter.memory_pool import MOST_GRANTS, Flow, Pool
from fleet_worker.limiter.rules import PoolLimits, Rules, TenantLimits
from fleet_worker.limiter.terms import (
    Ask,
    Beaten,
    Ended,
    Granted,
    Held,
    Listener,
    Refused,
    Said,
    Settlement,
    Waits,
)

RESERVED_ELSEWHERE_MS = 1000


class MemoryBook:
    """One process's permits. Every method works before it first could wait: each is one atomic step."""

    beat_s: float | None = None

    def __init__(self, rules: Rules, clock: Clock) -> None:
        self._rules = rules
        self._clock = clock
        self._listener: Listener | None = None
        self._pools: dict[str, Pool] = {}
        self._purses: dict[str, Purse] = {}
        self.pools: dict[str, PoolLimits] = {}
        """What operators set for a pool, in place of what the process was started with."""
        self.tenants: dict[str, TenantLimits] = {}
        """What operators set for a tenant; `*` for those who have nothing of their own."""

    def bind(self, listener: Listener) -> None:
        """Begin to tell `listener`."""
        self._listener = listener

    async def open(self, listener: Listener) -> None:
        """Begin to tell `listener`."""
        self.bind(listener)

    async def acquire(self, ask: Ask) -> Granted | Waits | Refused:
        """Take a permit, or a place in line."""
        pool = self._pool(ask.pool)
        if ask.id in pool.held:
            return Granted()
        refused = self._too_dear(ask)
        if refused is not None:
            pool.drop(ask)
            return refused
        if not pool.find(ask):
            pool.enqueue(ask, self._slots(ask.pool), self._clock.now_ms())
        next_ms = self._dispatch(ask.pool, ask.id)
        if ask.id in pool.held:
            return Granted(next_ms)
        return Waits(next_ms, place=pool.place(ask, self._slots(ask.pool)))

    async def release(self, ask: Ask, settlement: Settlement) -> Said:
        """Give a permit back."""
        pool, now, most = self._pool(ask.pool), self._clock.now_ms(), self._limits(ask.pool).concurrency
        known = self._let_go(ask, settlement.spent)
        since = known[1] if known else 0.0
        if known and settlement.tokens is not None and settlement.tokens != ask.tokens:
            more = settlement.tokens - ask.tokens
            self._settle_tokens(ask, more, since)
            pool.correct(ask, more, self._tenant(ask.tenant).weight)
        if settlement.ended is Ended.ANSWERED and known:
            pool.learned.answered(since, len(pool.held), most, now)
            pool.took_ms = now - since if pool.took_ms is None else pool.took_ms * 0.95 + (now - since) * 0.05
        elif settlement.ended is Ended.FULL:
            pool.learned.refused(since, len(pool.held), most, settlement.told, now)
        elif settlement.ended is Ended.BUSY and known and pool.learned.overloaded(most, now):
            pool.cool_until = max(pool.cool_until, now + settlement.pause_ms)
        if settlement.cool_ms:
            pool.cool_until = max(pool.cool_until, now + settlement.cool_ms)
        return Said(self._dispatch(ask.pool))

    async def leave(self, ask: Ask) -> Said:
        """Wait no more."""
        self._pool(ask.pool).drop(ask)
        known = self._let_go(ask, 0)
        if known:
            self._settle_tokens(ask, -ask.tokens, known[1])
        return Said(self._dispatch(ask.pool))

    async def teach(self, pool: str, expected: int) -> Said:
        """Lower the limit before the provider refuses."""
        most, now = self._limits(pool).concurrency, self._clock.now_ms()
        self._pool(pool).learned.warned(expected, most, now)
        return Said(self._dispatch(pool))

    async def look(self, pool: str) -> Said:
        """Grant what time has made free."""
        return Said(self._dispatch(pool))

    async def beat(
        self,
        pool: str,
        held: list[Held],
        waiting: list[Ask],
        ending: Sequence[str] = (),
        *,
        last: bool = True,
    ) -> Beaten:
        """Nobody else could miss this process; tells the places of those who wait."""
        del held, ending, last
        known, slots = self._pool(pool), self._slots(pool)
        known.forget(self._clock.now_ms())
        places = {ask.id: known.place(ask, slots) for ask in waiting if known.find(ask)}
        return Beaten(self._dispatch(pool), places=places, limit=slots, in_flight=len(known.held))

    # ---------------------------------------------------------------- granting
    def _dispatch(self, name: str, caller: str | None = None) -> int:
        pool, now = self._pool(name), self._clock.now_ms()
        if pool.cool_until > now:
            return math.ceil(pool.cool_until - now)
        for flow in [flow for flow, until in pool.blocked.items() if until <= now]:
            pool.unblock(flow[1])
        slots = self._slots(name)
        for _ in range(MOST_GRANTS):
            turn = self._turn(pool, slots, now) if len(pool.held) < slots else None
            if turn is None:
                break
            wait = self._serve(name, *turn, caller)
            if wait:
                return math.ceil(wait)
        else:
            return 1
        soonest = pool.soonest()
        return -1 if soonest is None or len(pool.held) >= slots else max(1, math.ceil(soonest - now))

    def _turn(self, pool: Pool, slots: int, now: float) -> tuple[Flow, Ask] | None:
        for_all = len(pool.held) < pool.unguarded(slots, now)
        for lane in pool.lanes_in_turn():
            room = max(1, math.floor(slots * (1 - self._rules.reserve)))
            if lane is Lane.INTERACTIVE or pool.counts[lane] < room:
                first = pool.first(lane)
                if first is not None and (for_all or pool.is_owed(first[0])):
                    return first
        return None

    def _serve(self, name: str, flow: Flow, ask: Ask, caller: str | None) -> float:
        """Grant, refuse or hold back one wish; how long the whole pool has to wait, or 0."""
        pool, now, limits = self._pool(name), self._clock.now_ms(), self._limits(name)
        wait = max(
            pool.rates.wait_ms("r", limits.rpm, 1, now), pool.rates.wait_ms("t", limits.tpm, ask.tokens, now)
        )
        if wait > 0:
            return wait
        until = self._own_limits_hold(pool, ask)
        if until is not None:
            pool.hold_back(flow, until)
            return 0
        weight = self._tenant(ask.tenant).weight
        if self._too_dear(ask) is not None:
            pool.advance(flow, 0, weight)
            pool.drop(ask)
            self._tell_refused(ask)
            return 0
        self._charge(pool, limits, ask)
        pool.hold(ask, now)
        self._purse(ask.tenant).reserved += ask.worst
        pool.advance(flow, ask.tokens, weight)
        pool.drop(ask)
        if ask.id != caller and self._listener is not None:
            self._listener.granted(ask.id)
        return 0

    def _own_limits_hold(self, pool: Pool, ask: Ask) -> float | None:
        own, now = self._tenant(ask.tenant), self._clock.now_ms()
        if own.concurrency and pool.counts[f"tenant {ask.tenant}"] >= own.concurrency:
            return math.inf
        wait = max(
            pool.rates.wait_ms(f"r {ask.tenant}", own.rpm, 1, now),
            pool.rates.wait_ms(f"t {ask.tenant}", own.tpm, ask.tokens, now),
        )
        if wait > 0:
            return now + wait
        if self._too_dear(ask) is None and self._too_dear(ask, self._purse(ask.tenant).reserved) is not None:
            return now + RESERVED_ELSEWHERE_MS
        return None

    # ---------------------------------------------------------------- counting
    def _charge(self, pool: Pool, limits: PoolLimits, ask: Ask) -> None:
        own, now = self._tenant(ask.tenant), self._clock.now_ms()
        pool.rates.charge("r", limits.rpm, 1, now)
        pool.rates.charge("t", limits.tpm, ask.tokens, now)
        pool.rates.charge(f"r {ask.tenant}", own.rpm, 1, now)
        pool.rates.charge(f"t {ask.tenant}", own.tpm, ask.tokens, now)

    def _settle_tokens(self, ask: Ask, more: int, since: float) -> None:
        rates, now = self._pool(ask.pool).rates, self._clock.now_ms()
        rates.settle("t", self._limits(ask.pool).tpm, more, since, now)
        rates.settle(f"t {ask.tenant}", self._tenant(ask.tenant).tpm, more, since, now)

    def _let_go(self, ask: Ask, spent: int | None) -> tuple[Ask, float] | None:
        known = self._pool(ask.pool).let_go(ask.id)
        if known is not None:
            held, since = known
            self._purse(held.tenant).settle(held.worst, held.worst if spent is None else spent, since)
        return known

    def _too_dear(self, ask: Ask, reserved: int = 0) -> Refused | None:
        own, now, purse = self._tenant(ask.tenant), self._clock.now_ms(), self._purse(ask.tenant)
        for period, name, most in zip(("day", "month"), periods_of(now), (own.day, own.month), strict=True):
            spent = purse.spent.get(name, 0)
            if most and spent + reserved + ask.worst > most:
                return Refused(period=period, spent=spent, limit=most, resets_at_ms=resets_at_ms(period, now))
        return None

    def _tell_refused(self, ask: Ask) -> None:
        if self._listener is not None:
            self._listener.refused(ask.id)

    def _slots(self, name: str) -> int:
        return self._pool(name).slots(self._limits(name).concurrency)

    def _limits(self, name: str) -> PoolLimits:
        return self.pools.get(name) or self._rules.limits_of(name)

    def _tenant(self, tenant: str) -> TenantLimits:
        return self.tenants.get(tenant) or self.tenants.get("*") or TenantLimits()

    def _purse(self, tenant: str) -> Purse:
        return self._purses.setdefault(tenant, Purse())

    def _pool(self, name: str) -> Pool:
        if name not in self._pools:
            rules = self._rules
            self._pools[name] = Pool(
                Learned(rules.start),
                Rates((rules.window_s + rules.jitter_s) * 1000, rules.burst_s * 1000),
            )
        return self._pools[name]
