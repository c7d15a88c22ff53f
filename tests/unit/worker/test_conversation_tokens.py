"""How long a conversation is, by DeepSeek's own vocabulary."""

import random
import string
from dataclasses import replace
from typing import Any

import pytest
import structlog

from fleet_worker.conversations import tokens
from fleet_worker.conversations.asking import Asking
from fleet_worker.conversations.history import History, Said
from fleet_worker.conversations.tokens import OVERHEAD, TokenCounter, most_tokens
from harness.clock import HandClock
from harness.conversations import assistant, calls, in_memory_conversations, user
from harness.requests import a_request


# Reading the vocabulary takes most of a second.
@pytest.fixture(scope="module")
def counter() -> TokenCounter:
    return TokenCounter(structlog.get_logger())


async def test_text_is_counted_as_deepseek_counts_it(counter: TokenCounter):
    # "Hello", ",", " world" and "你好": four tokens of DeepSeek's vocabulary.
    [english, chinese] = await counter.count([[user("Hello, world")], [user("你好")]])
    [nothing] = await counter.count([[user("")]])
    assert (english - nothing, chinese - nothing) == (3, 1)
    assert nothing > OVERHEAD


async def test_there_are_never_more_tokens_than_the_bound_says(counter: TokenCounter):
    chance = random.Random(3)
    letters = "".join(chance.choice(string.printable) for _ in range(40_000))
    for message in (
        user(letters),
        user("雨" * 500),
        calls("c-1", "c-2"),
        assistant("a", reasoning_content="b"),
    ):
        [count] = await counter.count([[message]])
        assert count <= most_tokens([message]) + 2 * OVERHEAD


async def test_a_very_long_word_is_counted_in_no_time(counter: TokenCounter):
    [count] = await counter.count([[user("x" * 1_000_000)]])
    assert 10_000 < count < 1_000_000


async def test_images_are_guessed_and_their_bytes_are_no_text(counter: TokenCounter):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    [count] = await counter.count([[user([{"type": "text", "text": "What is it?"}, image])]])  # pyright: ignore[reportArgumentType]
    assert count < 2 * tokens.IMAGE_TOKENS


async def test_without_a_tokenizer_the_bound_counts(monkeypatch: pytest.MonkeyPatch):
    def find_nothing(name: str) -> None:
        del name

    monkeypatch.setattr(tokens, "find_spec", find_nothing)
    counter = TokenCounter(structlog.get_logger())
    said = [user("Hello, world")]
    assert await counter.count([said]) == [most_tokens(said)]


async def test_what_fits_for_certain_is_not_counted():
    asking = an_asking(most_tokens=10_000)
    object.__setattr__(asking, "counter", None)
    history = History(1, 1, [], [Said("t", [user("a" * 500), assistant("b")])])
    asked = await asking.ask(a_request(), history)
    assert len(asked.request.body["messages"]) == 3


async def test_what_is_too_long_is_trimmed_by_what_it_really_has(counter: TokenCounter):
    # By its bytes this history would be four times too long; by its tokens half a turn is.
    turns = [Said(f"t-{number}", [user("rain " * 400), assistant("ok")]) for number in range(5)]
    history = History(5, 1, [{"role": "system", "content": "Be brief."}], turns)
    asking = replace(an_asking(most_tokens=1900), counter=counter)
    asked = await asking.ask(a_request(), history)
    sent = asked.request.body["messages"]
    assert [message["role"] for message in sent] == ["system", *["user", "assistant"] * 3, "user"]
    assert asked.first == 3
    again = await asking.ask(a_request(), History(5, asked.first, history.system, turns))
    assert again.request.body["messages"] == sent


async def test_nothing_is_trimmed_where_the_operator_says_never():
    turns = [Said(f"t-{number}", [user("rain " * 400), assistant("ok")]) for number in range(5)]
    asked = await an_asking(most_tokens=100, trim="never").ask(a_request(), History(5, 1, [], turns))
    assert len(asked.request.body["messages"]) == 11


def an_asking(**choices: Any) -> Asking:
    return in_memory_conversations(HandClock(), **choices).home.asking
