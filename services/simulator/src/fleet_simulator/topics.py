"""What a question names: nouns as far as that can be told without a grammar, each with its article."""

import re
from collections.abc import Iterator

from fleet_simulator.vocabulary import COMMON_WORDS, VERBS

_WORD = re.compile(r"[^\W_][\w'-]*|[^\w\s]")
_HELPERS = frozenset(
    ("do", "does", "did", "can", "could", "will", "would", "should", "is", "are", "was", "were")
)
_ASKS_FOR_A_NAME = frozenset(("what", "who", "which", "what's", "here", "there", "this", "that", "it"))
_ARTICLES = frozenset(("a", "an", "the"))
_SHORTEST = 3
_LONGEST = 24


def topics_in(question: str) -> Iterator[str]:
    """The things that a question names, in its order: "quorum queues", "a broker restart"."""
    run: list[str] = []
    before, article, helped = "", "", False
    for word in [*_WORD.findall(question), "."]:
        lower = word.lower()
        if _is_telling(lower):
            run.append(word)
            continue
        if run:
            yield from _named_in(run, article, verb_follows=helped and lower not in VERBS)
            run, helped = [], False
        article = lower if lower in _ARTICLES else ""
        helped = (helped and bool(article)) or (lower in _HELPERS and before not in _ASKS_FOR_A_NAME)
        before = lower


def _is_telling(word: str) -> bool:
    return _SHORTEST <= len(word) <= _LONGEST and word[0].isalpha() and word not in COMMON_WORDS


def _named_in(run: list[str], article: str, *, verb_follows: bool) -> Iterator[str]:
    # After a helping verb the subject comes first and its verb right behind it: "do whales | migrate".
    length = _subject_length(run) if verb_follows else 2
    yield " ".join([article, *run[:length]] if article else run[:length])
    rest = run[length + 1 : length + 3] if verb_follows else []
    if rest:
        yield " ".join(rest)


def _subject_length(run: list[str]) -> int:
    return 2 if len(run) > 1 and run[1].endswith("s") and not run[0].endswith("s") else 1
