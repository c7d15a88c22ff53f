"""Histories in the memory of one process, for a worker that shares nothing."""

from collections import OrderedDict
from dataclasses import dataclass, field

import orjson

from fleet_chassis.clock import Clock
from fleet_worker.conversations.histories import (
    ANSWER_KEPT_S,
    Addition,
    Answered,
    Appended,
    Busy,
    Claim,
    Differs,
    Hear,
    Keeping,
    Lost,
    TakeAnswer,
    Taken,
    name_of,
)
from fleet_worker.conversations.history import History, entry_of, kept_within, said_in, turn_in
from fleet_worker.request import ConversationKey

MAX_BYTES = 256 * 1024 * 1024
"""Of all conversations together: a bound for a process that runs for days."""
_OVERHEAD = 512


@dataclass(slots=True)
class _Record:
    version: int = 0
    first: int = 1
    system: bytes = b"[]"
    entries: list[bytes] = field(default_factory=list[bytes])
    has: set[str] = field(default_factory=set[str])
    turn: str = ""
    fence: int = 0
    lease_ends: float = 0
    wanted: bool = False
    until: float = 0
    counted: int = 0

    def holds(self, claim: Claim) -> bool:
        return (self.turn, self.fence) == (claim.turn, claim.fence)

    def history(self) -> History:
        turns = [said_in(entry) for entry in self.entries]
        return History(self.version, self.first, orjson.loads(self.system), turns)


class MemoryHistories:
    """Keeps conversations as long as they fit into 256 MiB, those that were used last.

    Args:
        keeping: what operators chose.
        clock: the time.
        hear: takes what is told to any channel, for there is only one worker here.
        max_bytes: of all conversations together.
    """

    def __init__(self, keeping: Keeping, clock: Clock, hear: Hear, max_bytes: int = MAX_BYTES) -> None:
        self._keeping = keeping
        self._clock = clock
        self._hear = hear
        self._max_bytes = max_bytes
        self._bytes = 0
        self._records: OrderedDict[ConversationKey, _Record] = OrderedDict()
        self._answers: OrderedDict[tuple[ConversationKey, str], tuple[float, bytes]] = OrderedDict()

    async def take(self, key: ConversationKey, claim: Claim) -> TakeAnswer:
        """As `Histories.take`."""
        self._forget_old()
        record = self._records.get(key) or _Record()
        now = self._clock.monotonic()
        if claim.turn in record.has or (key, claim.turn) in self._answers:
            return Answered(await self.answer(key, claim.turn))
        if record.turn == claim.turn and record.fence > claim.fence:
            return Lost()
        if record.turn not in {"", claim.turn} and record.lease_ends > now:
            record.wanted = True
            return Busy(round((record.lease_ends - now) * 1000))
        if claim.continues not in {None, record.version}:
            return Differs(record.version)
        record.turn, record.fence, record.lease_ends = claim.turn, claim.fence, now + self._keeping.lease_s
        self._put(key, record)
        return Taken(record.history())

    async def keep(self, key: ConversationKey, claim: Claim) -> bool:
        """As `Histories.keep`."""
        record = self._records.get(key)
        if record is None or not record.holds(claim):
            return False
        record.lease_ends = self._clock.monotonic() + self._keeping.lease_s
        return True

    async def release(self, key: ConversationKey, claim: Claim) -> None:
        """As `Histories.release`."""
        record = self._records.get(key)
        if record is not None and record.holds(claim):
            self._give_free(key, record)

    async def append(self, key: ConversationKey, claim: Claim, addition: Addition) -> Appended:
        """As `Histories.append`."""
        record = self._records.get(key)
        if record is None:
            record = _Record(turn=claim.turn, fence=claim.fence, version=addition.history.version)
            record.entries = [*map(entry_of, addition.history.turns)]
            record.has = set(map(turn_in, record.entries))
        if claim.turn in record.has:
            return Appended.APPENDED
        if not record.holds(claim) or record.version != addition.history.version:
            return Appended.LOST
        entries = [*record.entries, entry_of(addition.said)]
        record.entries = kept_within(entries, self._keeping.most_bytes)
        forgotten = entries[: len(entries) - len(record.entries)]
        record.has = {*record.has, claim.turn} - set(map(turn_in, forgotten))
        record.version, record.first = record.version + 1, addition.first
        record.system = orjson.dumps(addition.system)
        self._put_answer(key, claim.turn, addition.answer)
        self._put(key, record)
        self._give_free(key, record)
        return Appended.APPENDED

    async def clear(self, key: ConversationKey, claim: Claim, version: int, answer: bytes) -> Appended:
        """As `Histories.clear`."""
        record = self._records.get(key)
        if record is not None and claim.turn in record.has:
            return Appended.APPENDED
        if record is not None and not record.holds(claim):
            return Appended.LOST
        wanted = record is not None and record.wanted
        cleared = _Record(version=version, first=version + 1, has={claim.turn}, wanted=wanted)
        self._put_answer(key, claim.turn, answer)
        self._put(key, cleared)
        self._give_free(key, cleared)
        return Appended.APPENDED

    async def answer(self, key: ConversationKey, turn: str) -> bytes | None:
        """As `Histories.answer`."""
        until, answer = self._answers.get((key, turn), (0.0, b""))
        return answer if until > self._clock.monotonic() else None

    async def forget_answer(self, key: ConversationKey, turn: str) -> None:
        """As `Histories.forget_answer`."""
        _, answer = self._answers.pop((key, turn), (0.0, b""))
        self._bytes -= len(answer)

    async def look(self, key: ConversationKey) -> History:
        """As `Histories.look`."""
        self._forget_old()
        return (self._records.get(key) or _Record()).history()

    def _put(self, key: ConversationKey, record: _Record) -> None:
        size = sum(map(len, record.entries)) + len(record.system) + _OVERHEAD
        before = self._records.get(key)
        self._bytes += size - (0 if before is None else before.counted)
        record.counted = size
        record.until = self._clock.monotonic() + self._keeping.kept_s
        self._records[key] = record
        self._records.move_to_end(key)

    def _give_free(self, key: ConversationKey, record: _Record) -> None:
        record.turn, record.fence, record.lease_ends = "", 0, 0
        if record.wanted:
            record.wanted = False
            self._hear(f"turn {name_of(key)}".encode())

    def _put_answer(self, key: ConversationKey, turn: str, answer: bytes) -> None:
        self._answers[key, turn] = (self._clock.monotonic() + ANSWER_KEPT_S, answer)
        self._bytes += len(answer)

    def _forget_old(self) -> None:
        now = self._clock.monotonic()
        while self._answers and next(iter(self._answers.values()))[0] <= now:
            _, (_, answer) = self._answers.popitem(last=False)
            self._bytes -= len(answer)
        for key, record in list(self._records.items()):
            if record.until > now and self._bytes <= self._max_bytes:
                break
            if not record.turn:
                del self._records[key]
                self._bytes -= record.counted
