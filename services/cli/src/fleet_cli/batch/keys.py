"""Which of a million words come twice, in eight bytes for each."""

from array import array
from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise

_PARTS = 256
_BYTES = 8


class Keys:
    """Words, by their digests. Two words in 10^19 share one, so whoever refuses looks at the words again."""

    def __init__(self) -> None:
        self._parts = [array("Q") for _ in range(_PARTS)]

    def add(self, word: str) -> None:
        """Count a word in."""
        digest = digest_of(word)
        self._parts[digest % _PARTS].append(digest)

    def repeated(self) -> set[int]:
        """The digests of words that came more than once."""
        return set(self._twice())

    def _twice(self) -> Iterator[int]:
        # Sorted part by part, so that no list of all of them is ever made.
        for part in self._parts:
            ordered = sorted(part)
            yield from (one for one, next_ in pairwise(ordered) if one == next_)


def digest_of(word: str) -> int:
    """A word's digest."""
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest())
