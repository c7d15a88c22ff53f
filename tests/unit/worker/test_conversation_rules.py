"""What of a history is sent and kept, for every history that hypothesis can think of."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_worker.conversations.building import (
    NO_RESULT,
    answering_open_calls,
    leading_system,
    said_with,
    upstream_messages,
)
from fleet_worker.conversations.history import (
    History,
    Message,
    Said,
    entry_of,
    goes_on,
    kept_within,
    said_in,
    turn_in,
)
from fleet_worker.conversations.trimming import CONTEXT_TOKENS, first_sent, room_for
from harness.conversations import assistant, calls, tool, user

TEXT = st.text(max_size=20)


@st.composite
def conversations(draw: st.DrawFn, most: int = 8) -> list[Said]:
    """Turns as callers make them: some call tools, and most calls get a result in the next turn."""
    turns: list[Said] = []
    for number in range(draw(st.integers(0, most))):
        wanted = draw(st.booleans())
        before = turns[-1].messages[-1] if turns else {}
        open_ids = [call["id"] for call in before.get("tool_calls") or ()]
        given_ids = [one for one in open_ids if draw(st.booleans())]
        new: list[Message] = [tool(one, draw(TEXT)) for one in given_ids]
        if not open_ids or draw(st.booleans()):
            new.append(user(draw(TEXT)))
        new = answering_open_calls(turns, new)
        ids = [f"c-{number}-{place}" for place in range(draw(st.integers(1, 3)))]
        thought = {"reasoning_content": draw(TEXT)} if draw(st.booleans()) else {}
        answer = calls(*ids, **thought) if wanted else assistant(draw(TEXT), **thought)
        turns.append(said_with(f"acme/t-{number}~0", new, answer))
    return turns


def is_accepted(messages: list[Message]) -> bool:
    """DeepSeek's rule: each call has its result right behind it, and each result its call."""
    open_ids: set[Any] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_ids:
                return False
            open_ids.discard(message["tool_call_id"])
        elif open_ids:
            return False
        open_ids |= {call["id"] for call in message.get("tool_calls") or ()}
    return True


@given(turns=conversations())
def test_a_turn_is_read_as_it_was_written(turns: list[Said]):
    for turn in turns:
        entry = entry_of(turn)
        assert said_in(entry) == turn
        assert (turn_in(entry), goes_on(entry)) == (turn.turn, turn.goes_on)


@given(turns=conversations(), new=st.sampled_from([[user("next")], [tool("unknown"), user("next")]]))
def test_a_call_that_nobody_answered_never_ends_a_conversation(turns: list[Said], new: list[Message]):
    asked = [one for one in answering_open_calls(turns, new) if one.get("tool_call_id") != "unknown"]
    assert is_accepted(upstream_messages([], turns, asked, reasoning=True))


@given(turns=conversations(), data=st.data())
def test_what_is_trimmed_is_whole_exchanges_from_the_oldest_on(turns: list[Said], data: st.DataObject):
    costs = [data.draw(st.integers(0, 50)) for _ in turns]
    room, fixed = data.draw(st.integers(-10, 300)), data.draw(st.integers(0, 50))
    brings_results = bool(turns) and bool(turns[-1].messages[-1].get("tool_calls"))
    new = answering_open_calls(turns, [] if brings_results else [user("next")])
    start = first_sent(turns, costs, fixed, room, goes_on=brings_results)
    sent = upstream_messages([user("system")], turns[start:], new, reasoning=True)
    assert sent[0] == user("system")
    assert is_accepted(sent)
    if fixed + sum(costs) <= room:
        assert start == 0
    elif fixed + sum(costs[start:]) > room * 0.75:
        # Not even that was enough: then nothing more could go.
        later = [
            place
            for place in range(start + 1, len(turns) + 1)
            if place == len(turns) or not turns[place].goes_on
        ]
        assert not later or (later == [len(turns)] and brings_results)


@given(turns=conversations(), most=st.integers(0, 2000))
def test_what_is_forgotten_is_whole_exchanges_and_never_the_newest(turns: list[Said], most: int):
    entries = [entry_of(turn) for turn in turns]
    kept = kept_within(entries, most)
    assert entries[len(entries) - len(kept) :] == kept
    assert bool(kept) == bool(entries)
    assert sum(map(len, kept)) <= most or not any(not goes_on(entry) for entry in kept[1:])
    if len(kept) < len(entries):
        assert not goes_on(kept[0])
    assert is_accepted([message for entry in kept for message in said_in(entry).messages]) or bool(
        kept and said_in(kept[-1]).messages[-1].get("tool_calls")
    )


@given(turns=conversations())
def test_thinking_goes_back_with_tools_and_stays_away_without(turns: list[Said]):
    thoughts = [m["reasoning_content"] for turn in turns for m in turn.messages if "reasoning_content" in m]
    passed = upstream_messages([], turns, [user("next")], reasoning=True)
    assert [m["reasoning_content"] for m in passed if "reasoning_content" in m] == thoughts
    left = upstream_messages([], turns, [user("next")], reasoning=False)
    assert not any("reasoning_content" in m for m in left)


@given(turns=conversations(), reasoning=st.booleans())
def test_each_turn_begins_with_all_that_the_turn_before_it_was_sent(turns: list[Said], reasoning: bool):
    shorter = upstream_messages([user("system")], turns[:-1], [], reasoning=reasoning)
    longer = upstream_messages([user("system")], turns, [], reasoning=reasoning)
    assert orjson.dumps(longer).startswith(orjson.dumps(shorter)[:-1])


def test_what_was_trimmed_once_stays_out():
    turns = [Said(f"t-{number}", [user(str(number))]) for number in range(3, 7)]
    assert History(version=6, first=1, turns=turns).sent == turns
    assert History(version=6, first=5, turns=turns).sent == turns[2:]
    assert History(version=6, first=7, turns=turns).sent == []


def test_the_system_prompt_is_what_a_turn_begins_with():
    system, rest = [{"role": "system", "content": "a"}], [user("b"), {"role": "system", "content": "c"}]
    assert leading_system([*system, *rest]) == (system, rest)


def test_a_caller_that_went_away_between_call_and_result_is_said_to_have_none():
    turns = [Said("t", [user("look"), calls("c-1", "c-2")])]
    filled = answering_open_calls(turns, [tool("c-2"), user("and now?")])
    assert filled == [tool("c-2"), tool("c-1", NO_RESULT), user("and now?")]


def test_an_answer_that_was_begun_becomes_one_with_its_rest():
    begun = {**assistant("Once "), "prefix": True}
    assert said_with("t", [user("tell"), begun], assistant("upon a time")).messages == [
        user("tell"),
        assistant("Once upon a time"),
    ]


def test_of_an_answer_only_what_deepseek_takes_back_is_kept():
    call = {**calls("c-1")["tool_calls"][0], "index": 0}
    answer = {
        "role": "assistant",
        "content": None,
        "reasoning_content": None,
        "tool_calls": [call],
        "audio": 1,
    }
    kept = said_with("t", [user("look")], answer).messages[-1]
    assert json.loads(json.dumps(kept)) == {
        "role": "assistant",
        "content": None,
        "tool_calls": calls("c-1")["tool_calls"],
    }


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"max_tokens": 100}, 100),
        ({"thinking": {"type": "disabled"}}, 8 * 1024),
        ({"reasoning_effort": "none"}, 8 * 1024),
        ({}, 64 * 1024),
        ({"reasoning_effort": "max"}, 128 * 1024),
    ],
)
def test_prompt_and_answer_have_to_fit_into_the_context_together(body: dict[str, Any], answer: int):
    assert room_for(body, None) == CONTEXT_TOKENS - answer
    assert room_for(body, 1000) == 1000
