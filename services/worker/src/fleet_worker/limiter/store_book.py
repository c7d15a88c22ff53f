"""Permits in Redis or Valkey: every step is one script over one pool's keys."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any, Protocol

from fleet_chassis.clock import Clock
from fleet_chassis.store import Script, Scripts, load_script
from fleet_worker.limiter.keys import Keys
from fleet_worker.limiter.operators import HearSettings, Operators
from fleet_worker.limiter.rules import Rules
from fleet_worker.limiter.spending import Spending
from fleet_worker.limiter.terms import (
    Ask,
    Beaten,
    Granted,
    Held,
    Listener,
    Place,
    Refused,
    Said,
    Settlement,
    Waits,
)

_PARTS = ("head", "rates", "money", "learning", "leases", "queue")


class Store(Scripts, Protocol):
    """The part of `fleet_chassis.store.RedisStore` that the limiter uses."""

    @property
    def run_id(self) -> bytes | None:
        """Which run of the server answered last."""
        ...

    async def listen(self, channel: str, hear: Callable[[bytes], None]) -> None:
        """Have each message on a channel handed over."""
        ...


@cache
def _script(name: str) -> Script:
    files = [f"scripts/{part}.lua" for part in (*_PARTS, name)]
    return load_script("fleet_worker.limiter", *files)


class StoreBook:
    """The whole fleet's permits.

    Args:
        store: shared by every worker of the fleet.
        namespace: the prefix of every key and channel.
        worker: a word for this process, used by no other and never again: letters and digits.
        rules: limits and times.
        clock: tells on which day use is reported; what is limited goes by the store's own time.
        hear: is told what operators set, whenever it changed.
    """

    def __init__(
        self,
        store: Store,
        namespace: str,
        worker: str,
        rules: Rules,
        clock: Clock,
        hear: HearSettings = lambda _settings: None,
    ) -> None:
        self.beat_s = rules.beat_s
        self.calls = 0
        """Scripts asked for so far."""
        self._store = store
        self._keys = Keys(namespace)
        self._worker = worker
        self._rules = rules
        self._clock = clock
        self._operators = Operators(store, self._keys, hear)
        self._spending = Spending()
        self._confirmed_run: bytes | None = None
        self._boot = self._stating_since = 0
        """Since when the store is known, by its own time: as heard last, and before this round of beats."""
        self._scripts = {
            name: _script(name) for name in ("acquire", "release", "leave", "look", "beat", "teach")
        }

    async def open(self, listener: Listener) -> None:
        """Listen on this worker's own channel and on the one for all."""

        def hear(message: bytes) -> None:
            sign, rest = message[:1], message[1:]
            ask_id, _, run = rest.partition(b" ")
            if sign == b"+" and run == self._run():
                listener.granted(ask_id.decode())
            elif sign == b"-":
                listener.refused(ask_id.decode())
            elif sign == b"?":
                self._spending.may_be_forgotten()
                listener.called(rest.decode())
            else:
                # New settings, or a grant by a store that is no more: the next beat clears it up.
                listener.called()

        await self._store.listen(self._keys.channel(self._worker), hear)
        await self._store.listen(self._keys.common_channel, hear)

    async def acquire(self, ask: Ask) -> Granted | Waits | Refused:
        """Take a permit, or a place in line."""
        told = [ask.id, ask.tenant, ask.lane, ask.tokens, ask.worst]
        asked_of = self._run()
        word, said, rest = await self._ask("acquire", ask.pool, told)
        if word == b"granted" and asked_of == self._run():
            return Granted(**said)
        if word == b"granted":
            # Asked on one server and answered by another, whose memory may be old: back into the line, which
            # moves when every worker has stated what it has.
            left = await self.leave(ask)
            return Waits(left.next_ms, left.quiet_ms)
        if word == b"waits":
            ahead, slots, took_ms, flows = rest
            return Waits(**said, place=Place(ahead, slots, float(took_ms), flows))
        period, spent, limit, resets_at_ms = rest
        return Refused(
            **said,
            period=period.decode(),
            spent=int(spent),
            limit=int(limit),
            resets_at_ms=int(resets_at_ms),
        )

    async def release(self, ask: Ask, settlement: Settlement) -> Said:
        """Give a permit back."""
        used, field = settlement.used, ""
        if used is not None:
            field = f"{used.tenant}|{used.model}"
        told: list[Any] = [
            ask.id,
            settlement.ended,
            -1 if settlement.tokens is None else settlement.tokens,
            -1 if settlement.spent is None else settlement.spent,
            settlement.told,
            settlement.cool_ms,
            field,
            *((used.input, used.cached, used.output) if used else (0, 0, 0)),
            settlement.pause_ms,
        ]
        day = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).date().isoformat()
        _, said, rest = await self._ask("release", ask.pool, told, self._keys.usage(day))
        if not said["quiet_ms"]:
            # Before its grace ends, a store that forgot does not know what was spent before.
            self._spending.heard(rest[1])
        return Said(**said)

    async def leave(self, ask: Ask) -> Said:
        """Wait no more."""
        _, said, _ = await self._ask("leave", ask.pool, [ask.id])
        return Said(**said)

    async def teach(self, pool: str, expected: int) -> Said:
        """Lower the limit before the provider refuses."""
        _, said, _ = await self._ask("teach", pool, [expected])
        return Said(**said)

    async def look(self, pool: str) -> Said:
        """Grant what time has made free."""
        _, said, _ = await self._ask("look", pool, [])
        return Said(**said)

    async def beat(
        self,
        pool: str,
        held: list[Held],
        waiting: list[Ask],
        ending: Sequence[str] = (),
        *,
        last: bool = True,
    ) -> Beaten:
        """State everything this worker has in a pool."""
        since, run = self._stating_since, self._run()
        told: list[Any] = [since if last else 0, int(self._rules.keeps_lost)]
        told += [*self._operators.restated(), *self._spending.restated(), len(held)]
        for one in held:
            ask = one.ask
            told += [ask.id, ask.tenant, ask.lane, ask.tokens, ask.worst, one.age_ms]
        told += [len(ending), *ending]
        for ask in waiting:
            told += [ask.id, ask.tenant, ask.lane, ask.tokens, ask.worst]
        _, said, rest = await self._ask("beat", pool, told)
        self._confirmed_run = run
        if last:
            self._stating_since = self._boot
            if since == self._boot:
                self._spending.taken()
        unheard, ahead, limit, in_flight, spare, took_ms, flows, queued, lost, forsaken = rest
        places = {
            ask.id: Place(before, limit, float(took_ms), flows)
            for ask, before in zip(
                (ask for ask in waiting if ask.id.encode() not in unheard), ahead, strict=True
            )
        }
        heard = tuple(ask_id.decode() for ask_id in unheard)
        return Beaten(
            **said,
            unheard=heard,
            places=places,
            limit=limit,
            in_flight=in_flight,
            spare=spare,
            waiting=queued,
            lost=tuple(ask_id.decode() for ask_id in lost),
            forsaken=tuple(name.decode() for name in forsaken),
            again=last and since != self._boot,
        )

    def _run(self) -> bytes:
        return self._store.run_id or b""

    async def _ask(
        self, name: str, pool: str, told: list[Any], *more_keys: str
    ) -> tuple[bytes, dict[str, int], list[Any]]:
        self.calls += 1
        keys = [*self._keys.of(pool), *more_keys]
        answer = await self._store.run(self._scripts[name], keys, [*self._head(pool), *told])
        word, next_ms, boot, version, quiet_ms, *rest = answer
        if boot != self._boot:
            self._boot = boot
            self._spending.may_be_forgotten()
        await self._operators.notice(version)
        return word, {"next_ms": next_ms, "quiet_ms": quiet_ms}, rest

    def _head(self, pool: str) -> list[Any]:
        run = self._run()
        changed = self._confirmed_run is not None and self._confirmed_run != run
        return [
            self._worker,
            self._keys.channel(""),
            run,
            int(changed),
            pool,
            *self._rules.told(pool),
        ]
