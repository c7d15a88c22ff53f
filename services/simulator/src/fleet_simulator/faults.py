"""Faults on demand: which call they meet, how often, and what they do."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What can go wrong, or only go differently. README.md has a sentence for each."""

    STATUS = "status"
    HANG_BEFORE_HEADERS = "hang_before_headers"
    SLOW_FIRST_TOKEN = "slow_first_token"  # noqa: S105 - a kind of fault, no password
    KEEP_ALIVES_BEFORE_FIRST_TOKEN = "keep_alives_before_first_token"  # noqa: S105 - as above
    PACE = "pace"
    LENGTH = "length"
    BLANK_CONTENT = "blank_content"
    FINISH_REASON = "finish_reason"
    EOF_WITHOUT_DONE = "eof_without_done"
    CLOSE = "close"
    RESET = "reset"
    STALL = "stall"
    HOLD = "hold"
    KEEP_ALIVES_AFTER_LAST_TOKEN = "keep_alives_after_last_token"  # noqa: S105 - as above
    ERROR_IN_STREAM = "error_in_stream"
    SPLIT = "split"
    MERGE = "merge"
    CRLF = "crlf"
    BOM = "bom"
    BROKEN_UTF8 = "broken_utf8"
    HUGE_LINE = "huge_line"
    TRAILING_USAGE = "trailing_usage"


@dataclass(frozen=True, slots=True)
class Match:
    """Which calls a fault meets; what is left out matches everything.

    Attributes:
        model: The model that serves the call (after aliases).
        prompt: A piece of text that a user message (or a FIM prompt) contains.
        account: The account's name.
        stream: Only streamed calls, or only others.
        nth: Only the nth call (from 1) of those that match the rest.
    """

    model: str | None = None
    prompt: str | None = None
    account: str | None = None
    stream: bool | None = None
    nth: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a fault may look at in a call."""

    model: str
    prompt: str
    account: str
    stream: bool


@dataclass(frozen=True, slots=True)
class Fault:
    """One scripted behaviour. Each kind reads the fields that it needs.

    Attributes:
        kind: What to do.
        match: Which calls to meet.
        times: How many calls to meet; None for all.
        probability: Chance that a matching call is met.
        seed: Where this fault's chance starts.
        for_seconds: How long the fault stays after it was added; None for ever.
        after_chunks: `data:` messages sent before the fault strikes, the role preamble counted (for
            `finish_reason`: tokens). None means as late as the kind allows.
        seconds: Length of a wait, a hang or a stall, and the longest hold; not divided by `speed`.
        status: HTTP status.
        retry_after: Value of a Retry-After header, which the real API does not send.
        body: Body to send in place of the real one.
        content_type: Content type of that body.
        finish_reason: `insufficient_system_resource`, `aborted`, `content_filter` …
        tokens_per_second: Speed of the stream.
        reasoning_tokens: Length of the reasoning.
        content_tokens: Length of the answer.
        sizes: Sizes of the pieces that the byte stream is cut into, used in turn.
        events: Messages joined in one write.
        size: Bytes of padding in the huge line.
    """

    kind: Kind
    match: Match = Match()
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    for_seconds: float | None = None
    after_chunks: int | None = None
    seconds: float = 3600.0
    status: int = 503
    retry_after: str | None = None
    body: str | None = None
    content_type: str = "text/html"
    finish_reason: str = "insufficient_system_resource"
    tokens_per_second: float = 0.0
    reasoning_tokens: int | None = None
    content_tokens: int | None = None
    sizes: tuple[int, ...] = (1,)
    events: int = 5
    size: int = 1_000_000


@dataclass(slots=True)
class Armed:
    """A fault that waits for its calls.

    Attributes:
        id: Its number, for taking it away.
        fault: What it does.
        expires_at: Monotonic end of its life, or None.
        seen: Matching calls so far.
        fired: Calls met so far.
        lifted: Set once it was taken away.
    """

    id: int
    fault: Fault
    expires_at: float | None
    chance: random.Random
    seen: int = 0
    fired: int = 0
    lifted: asyncio.Event = field(default_factory=asyncio.Event)

    def strikes(self, facts: Facts, now: float) -> bool:
        """Whether this call is met; counts it."""
        if not _matches(self.fault.match, facts) or self._is_spent(now):
            return False
        self.seen += 1
        nth = self.fault.match.nth
        if nth is not None and nth != self.seen:
            return False
        if self.chance.random() >= self.fault.probability:
            return False
        self.fired += 1
        return True

    def _is_spent(self, now: float) -> bool:
        used_up = self.fault.times is not None and self.fired >= self.fault.times
        return used_up or (self.expires_at is not None and now >= self.expires_at)


Plan = Mapping[Kind, Fault]
"""The faults that one call goes through, at most one of each kind."""


@dataclass(slots=True)
class Faults:
    """The faults in force, in the order in which they were added."""

    _armed: dict[int, Armed] = field(default_factory=dict[int, Armed])
    _next: int = 1

    def add(self, fault: Fault, now: float = 0.0) -> Armed:
        """Put a fault in force; `now` is the monotonic time that `for_seconds` counts from."""
        expires_at = None if fault.for_seconds is None else now + fault.for_seconds
        armed = Armed(self._next, fault, expires_at, random.Random(fault.seed))
        self._armed[armed.id] = armed
        self._next += 1
        return armed

    def remove(self, number: int) -> bool:
        """Take one fault away; False when there was none of this number."""
        armed = self._armed.pop(number, None)
        if armed is not None:
            armed.lifted.set()
        return armed is not None

    def clear(self) -> None:
        """Take all faults away."""
        for number in list(self._armed):
            self.remove(number)

    async def until_lifted(self, fault: Fault) -> None:
        """Return once this very fault was taken away."""
        for armed in self.armed():
            if armed.fault is fault:
                await armed.lifted.wait()

    def armed(self) -> list[Armed]:
        """The faults in force."""
        return list(self._armed.values())

    def draw(self, facts: Facts, now: float) -> Plan:
        """The faults that this call meets: the first added of each kind."""
        plan: dict[Kind, Fault] = {}
        for armed in self._armed.values():
            if armed.fault.kind not in plan and armed.strikes(facts, now):
                plan[armed.fault.kind] = armed.fault
        return plan


def _matches(match: Match, facts: Facts) -> bool:
    return (
        match.model in (None, facts.model)
        and match.account in (None, facts.account)
        and match.stream in (None, facts.stream)
        and (match.prompt is None or match.prompt in facts.prompt)
    )
