"""What the simulated model thinks and says: decided by the question alone, and readable."""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleet_simulator import tokens
from fleet_simulator import vocabulary as v
from fleet_simulator.topics import topics_in

_EXCERPT = 80
_READ = 2000
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about: an excerpt, two things that it names, and its words in small letters."""

    question: str
    topic: str
    other: str
    words: frozenset[str]

    def fill(self, sentence: str) -> str:
        """The sentence with its places filled."""
        return sentence.format(question=self.question, topic=self.topic, other=self.other)


def subject_of(question: str) -> Subject:
    """Find what to talk about."""
    named = dict.fromkeys(topics_in(question[:_READ])) or {"this question": None}
    topic, other, *_ = *named, "the details"
    flat = " ".join(question[: _EXCERPT * 4].split())
    excerpt = flat if len(flat) <= _EXCERPT else f"{flat[:_EXCERPT].rstrip()}…"
    return Subject(excerpt, topic, other, words_in(question[:_READ]))


def words_in(text: str) -> frozenset[str]:
    """The words of a text, in small letters; numbers of things, as in A-1002, are words."""
    return frozenset(_WORD.findall(text.lower()))


def reasoning_text(subject: Subject, length: int, chance: random.Random) -> str:
    """A train of thought of at least `length` tokens, ended with a whole sentence."""
    opening = subject.fill(chance.choice(v.REASONING_OPENINGS))
    ending = subject.fill(chance.choice(v.REASONING_ENDINGS))
    return _between(opening, ending, length, v.REASONING_STEPS, subject.fill, chance)


def content_text(subject: Subject, length: int, chance: random.Random) -> str:
    """An answer of at least `length` tokens, with some characters of more than one byte."""
    opening = _said_after("", subject.fill(chance.choice(v.CONTENT_OPENINGS)))
    opening += _said_after(opening, chance.choice(v.CONTENT_PICTURES))
    ending = subject.fill(chance.choice(v.CONTENT_ENDINGS))
    return _between(opening, ending, length, v.CONTENT_STEPS, subject.fill, chance)


def code_text(length: int, chance: random.Random) -> str:
    """Lines of code of at least `length` tokens, for fill-in-the-middle."""
    return _between("", "", length, v.CODE_LINES, str, chance)


def _between(
    opening: str,
    ending: str,
    length: int,
    sentences: Sequence[str],
    fill: Callable[[str], str],
    chance: random.Random,
) -> str:
    said = [opening]
    missing = length - len(tokens.split(f"{opening} {ending}"))
    deck: list[str] = []
    last = ""
    while missing > 0:
        # A deck is turned over where its first card was just said, so that nothing comes twice in a row.
        if not deck:
            deck = chance.sample(sentences, len(sentences))
            if deck[-1] == last:
                deck.reverse()
        last = deck.pop()
        said.append(_said_after(said[-1], fill(last)))
        missing -= len(tokens.split(said[-1]))
    said.append(_said_after(said[-1], ending))
    return "".join(said)


def _said_after(before: str, sentence: str) -> str:
    # A space between two sentences, and none where a paragraph ends or nothing was said yet.
    joined = not before or not sentence or before.endswith("\n") or sentence.startswith("\n")
    return sentence if joined else f" {sentence}"
