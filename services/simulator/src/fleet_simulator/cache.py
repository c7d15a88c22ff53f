"""The context cache: what a later prompt repeats from its first token on is cheaper.

Source: api-docs.deepseek.com, "Context Caching". Hits were seen in multiples of 256 tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import takewhile

from fleet_simulator import tokens

UNIT = 256
_BLOCK = 64


@dataclass(frozen=True, slots=True)
class CacheRules:
    """How good the cache is.

    Attributes:
        kept_for: Seconds that a unit can be read; it is dropped after hours to days.
        hit_probability: Chance that a hit is found; the real cache promises nothing.
        capacity: Units kept; the oldest make room.

    Raises:
        ValueError: A field is out of its range.
    """

    kept_for: float = 86_400.0
    hit_probability: float = 1.0
    capacity: int = 200_000

    def __post_init__(self) -> None:
        if not 0 <= self.hit_probability <= 1:
            raise ValueError("hit_probability must be a number from 0 to 1")
        if self.kept_for < 0 or self.capacity < 0:
            raise ValueError("kept_for and capacity must be 0 or more")


class ContextCache:
    """Remembers the beginnings of contexts. Times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._readable_from: dict[bytes, float] = {}

    def hit(self, scope: str, context: str, rules: CacheRules, now: float) -> int:
        """How many tokens at the beginning of a context are known: whole units, in this scope only."""
        return UNIT * sum(
            1 for _ in takewhile(lambda unit: self._is_readable(unit, rules, now), _units(scope, context))
        )

    def write(self, scope: str, context: str, rules: CacheRules, readable_from: float) -> None:
        """Remember every unit of a context, to be read from a given time on."""
        for unit in _units(scope, context):
            if not self._is_written(unit, rules, readable_from):
                self._readable_from.pop(unit, None)
                self._readable_from[unit] = readable_from
        while len(self._readable_from) > rules.capacity:
            del self._readable_from[next(iter(self._readable_from))]

    def _is_readable(self, unit: bytes, rules: CacheRules, now: float) -> bool:
        since = self._readable_from.get(unit)
        return since is not None and since <= now < since + rules.kept_for

    def _is_written(self, unit: bytes, rules: CacheRules, now: float) -> bool:
        since = self._readable_from.get(unit)
        return since is not None and now < since + rules.kept_for


def _units(scope: str, context: str) -> Iterator[bytes]:
    # A digest for each unit, over all that comes before its end. Only whole blocks count, so that a context
    # and a longer one that begins with it are cut in the same places.
    digest = blake2b(scope.encode(), digest_size=16)
    weight, due = 0.0, UNIT
    for end in range(_BLOCK, len(context) + 1, _BLOCK):
        block = context[end - _BLOCK : end]
        digest.update(block.encode())
        weight += tokens.weight(block)
        if weight >= due:
            yield digest.digest()
            due += UNIT
