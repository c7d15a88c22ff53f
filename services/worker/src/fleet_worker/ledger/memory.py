"""The ledger's records in the memory of one process, for a worker that shares nothing."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from fleet_chassis.clock import Clock
from fleet_worker.ledger import rules
from fleet_worker.ledger.answers import CancelAnswer, Claimed, Committed, Standing
from fleet_worker.ledger.record import Claimant, Head, Holder, Owner, Record
from fleet_worker.ledger.records import Hear
from fleet_worker.ledger.times import Times
from fleet_worker.request import RequestKey, key_text

MAX_BODY_BYTES = 256 * 1024 * 1024
MAX_ENDED = 500_000
"""About 500 bytes each: a bound for a process that runs for days."""


@dataclass(frozen=True, slots=True)
class _Kept:
    key: RequestKey
    until: float
    size: int


class MemoryRecords:
    """Keeps ends for a day, and bodies as long as they fit into 256 MiB, the newest first."""

    def __init__(self, times: Times, clock: Clock, hear: Hear, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        """`hear`: takes what is told to any channel, for there is only one worker here."""
        self._times = times
        self._clock = clock
        self._hear = hear
        self._max_body_bytes = max_body_bytes
        self._body_bytes = 0
        self._records: dict[RequestKey, Record] = {}
        self._ends: OrderedDict[RequestKey, float] = OrderedDict()
        self._bodies: OrderedDict[RequestKey, _Kept] = OrderedDict()

    async def claim(self, key: RequestKey, claimant: Claimant) -> Claimed:
        """As `rules.claim`."""
        self._forget_old()
        record, answer = rules.claim(self._record(key), claimant, self._now_ms(), self._times.lease_ms)
        self._records[key] = record
        return answer

    async def keep(self, key: RequestKey, holder: Holder) -> Standing:
        """As `rules.keep`."""
        record, answer = rules.keep(self._record(key), holder, self._now_ms(), self._times.lease_ms)
        self._records[key] = record
        return answer

    async def commit(self, key: RequestKey, holder: Holder, head: Head, body: bytes) -> Committed:
        """As `rules.commit`."""
        before = self._record(key)
        record, answer = rules.commit(before, holder, head, body)
        self._records[key] = record
        if before.ended is None and record.ended is not None:
            self._remember_end(key, body)
            self._tell(key, before)
        return answer

    async def release(self, key: RequestKey, holder: Holder) -> Standing:
        """As `rules.release`."""
        before = self._record(key)
        self._records[key], answer = rules.release(before, holder)
        self._ends[key] = self._clock.monotonic() + self._times.kept_s
        self._tell(key, before)
        return answer

    async def disown(self, key: RequestKey, seen: Owner) -> Standing:
        """As `rules.disown`."""
        before = self._record(key)
        record, answer = rules.disown(before, seen)
        if answer is Standing.HELD:
            self._records[key] = record
            self._ends[key] = self._clock.monotonic() + self._times.kept_s
            self._tell(key, before)
        return answer

    async def cancel(self, key: RequestKey, owner: str) -> CancelAnswer:
        """As `rules.cancel`."""
        record, answer = rules.cancel(self._record(key), owner, self._now_ms(), self._times.lease_ms)
        self._records[key] = record
        self._ends.setdefault(key, self._clock.monotonic() + self._times.kept_s)
        if record.owner:
            self._hear(f"cancel {key_text(key)}".encode())
        return answer

    async def look(self, key: RequestKey) -> Record | None:
        """What is known of a request."""
        return self._record(key) if key in self._records else None

    async def want(self, key: RequestKey, channel: str) -> bool:
        """There is only one worker, and it lives."""
        del key, channel
        return True

    def _record(self, key: RequestKey) -> Record:
        record = self._records.get(key) or Record()
        kept = self._bodies.get(key)
        return replace(record, body=None) if kept and kept.until <= self._clock.monotonic() else record

    def _now_ms(self) -> int:
        return round(self._clock.monotonic() * 1000)

    def _tell(self, key: RequestKey, record: Record) -> None:
        if record.waiting:
            self._hear(f"free {key_text(key)}".encode())

    def _remember_end(self, key: RequestKey, body: bytes) -> None:
        now = self._clock.monotonic()
        self._ends[key] = now + self._times.kept_s
        self._ends.move_to_end(key)
        self._bodies[key] = _Kept(key, now + self._times.body_kept_s(len(body)), len(body))
        self._body_bytes += len(body)

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        while self._bodies and (
            next(iter(self._bodies.values())).until <= now or self._body_bytes > self._max_body_bytes
        ):
            key, kept = self._bodies.popitem(last=False)
            self._body_bytes -= kept.size
            self._records[key] = replace(self._records[key], body=None)
        while self._ends and (next(iter(self._ends.values())) <= now or len(self._ends) > MAX_ENDED):
            key, _ = self._ends.popitem(last=False)
            if not self._record(key).owner:
                self._records.pop(key, None)
