"""What the simulated model thinks and says: decided by the question alone, and readable."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from fleet_simulator import tokens
from fleet_simulator import vocabulary as v

_WORD = re.compile(r"[^\W_][\w-]*|[^\w\s]")
_SHORTEST_TOPIC = 4
_LONGEST_WORD = 24
_EXCERPT = 80
_READ = 2000


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about: an excerpt of it and two words from it."""

    question: str
    topic: str
    other: str

    def fill(self, sentence: str) -> str:
        """The sentence with its places filled."""
        return sentence.format(question=self.question, topic=self.topic, other=self.other)


def subject_of(question: str) -> Subject:
    """Find what to talk about."""
    distinct = [*dict.fromkeys(_phrases(question[:_READ])), "the question", "the details"]
    flat = " ".join(question[: _EXCERPT * 4].split())
    excerpt = flat if len(flat) <= _EXCERPT else f"{flat[:_EXCERPT].rstrip()}…"
    return Subject(excerpt, distinct[0], distinct[1])


def reasoning_text(subject: Subject, length: int, chance: random.Random) -> str:
    """A train of thought of at least `length` tokens, ended with a whole sentence."""
    opening = subject.fill(chance.choice(v.REASONING_OPENINGS))
    ending = subject.fill(chance.choice(v.REASONING_ENDINGS))
    return opening + _fill(length, opening + ending, v.REASONING_STEPS, subject.fill, chance) + ending


def content_text(subject: Subject, length: int, chance: random.Random) -> str:
    """An answer of at least `length` tokens, with some characters of more than one byte."""
    opening = subject.fill(chance.choice(v.CONTENT_OPENINGS)) + chance.choice(v.CONTENT_MULTIBYTE)
    ending = subject.fill(chance.choice(v.CONTENT_ENDINGS))
    return opening + _fill(length, opening + ending, v.CONTENT_STEPS, subject.fill, chance) + ending


def code_text(length: int, chance: random.Random) -> str:
    """Lines of code of at least `length` tokens, for fill-in-the-middle."""
    return _fill(length, "", v.CODE_LINES, str, chance)


def _phrases(question: str) -> Iterator[str]:
    # Words that stand side by side belong together: "quorum queues" is one topic.
    run: list[str] = []
    for word in [*_WORD.findall(question), "."]:
        if len(word) >= _SHORTEST_TOPIC and word.lower() not in v.COMMON_WORDS:
            run.append(word[:_LONGEST_WORD])
        elif run:
            yield " ".join(run[:2])
            run = []


def _fill(
    length: int,
    around: str,
    sentences: Sequence[str],
    fill: Callable[[str], str],
    chance: random.Random,
) -> str:
    parts: list[str] = []
    missing = length - len(tokens.split(around))
    deck: list[str] = []
    while missing > 0:
        # A deck is turned over where its first card was just said, so that nothing comes twice in a row.
        if not deck:
            deck = chance.sample(sentences, len(sentences))
            if parts and fill(deck[-1]) == parts[-1]:
                deck.reverse()
        parts.append(fill(deck.pop()))
        missing -= len(tokens.split(parts[-1]))
    return "".join(parts)
