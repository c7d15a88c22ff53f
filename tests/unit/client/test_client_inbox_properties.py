"""Whatever is lost, repeated or swapped: what a reader joins is the answer."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fleet_client.events import Finished, Reasoning, Restarted, Text
from fleet_client.inbox import Inbox, Item
from fleet_client.reading import read
from harness import replies as wire

CID = "c:with:colons"
WORDS = st.text(alphabet="abcé🙂 ", max_size=4)
ATTEMPTS = st.lists(st.lists(st.tuples(WORDS, WORDS), max_size=12), min_size=1, max_size=3)

Json = dict[str, Any]


def a_run(attempts: list[list[tuple[str, str]]]) -> tuple[list[Json], str, str]:
    """All replies that a fleet sends for one request, in order; the last attempt is the one that answers."""
    sent: list[Json] = [wire.accepted(CID)]
    for attempt, words in enumerate(attempts, start=1):
        run = f"r{attempt}"
        if attempt > 1:
            sent.append(wire.restarted(CID, attempt, run))
        sent += [
            wire.chunk(CID, seq, text, attempt=attempt, run=run, reasoning_content=thought)
            for seq, (thought, text) in enumerate(words)
        ]
    reasoning = "".join(thought for thought, _ in attempts[-1])
    text = "".join(text for _, text in attempts[-1])
    final = wire.result(CID, text, reasoning=reasoning, attempt=len(attempts), last_seq=len(attempts[-1]) - 1)
    return [*sent, final, final], text, reasoning


def take_all(delivered: list[Json], window: int) -> list[Item]:
    inbox = Inbox(CID, window=window)
    received = [read(wire.encoded(reply)) for reply in delivered]
    return [item for one in received if one is not None for item in inbox.take(one)]


def since_the_last_restart(items: list[Item]) -> list[Item]:
    starts = [index for index, item in enumerate(items) if isinstance(item, Restarted)]
    return items[starts[-1] + 1 :] if starts else items


@given(ATTEMPTS, st.data(), st.integers(min_value=1, max_value=8))
def test_the_text_since_the_last_restart_is_always_the_answer(
    attempts: list[list[tuple[str, str]]], data: st.DataObject, window: int
) -> None:
    sent, text, reasoning = a_run(attempts)
    kept = data.draw(st.lists(st.sampled_from(sent[:-1]), max_size=2 * len(sent)), label="lost and repeated")
    swapped = data.draw(st.permutations([*kept, sent[-1]]), label="swapped")

    items = take_all([*swapped, sent[-1]], window)

    shown = since_the_last_restart(items)
    finished = shown[-1]
    assert isinstance(finished, Finished)
    assert (finished.answer.text, finished.answer.reasoning) == (text, reasoning)
    assert sum(isinstance(item, Finished) for item in items) == 1
    assert "".join(item.text for item in shown if isinstance(item, Text)) == text
    assert "".join(item.text for item in shown if isinstance(item, Reasoning)) == reasoning


@given(ATTEMPTS, st.data())
def test_swaps_within_the_window_cost_no_event(
    attempts: list[list[tuple[str, str]]], data: st.DataObject
) -> None:
    sent, text, _ = a_run(attempts[:1])
    chunks = data.draw(st.permutations(sent[1:-2]))

    items = take_all([sent[0], *chunks, *chunks, sent[-1]], window=len(sent))

    assert not any(isinstance(item, Restarted) for item in items)
    assert [item.text for item in items if isinstance(item, Text)] == [
        word for _, word in attempts[0] if word
    ]
    assert "".join(item.text for item in items if isinstance(item, Text)) == text


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
)


@given(JSON_VALUES, st.binary())
def test_nothing_that_comes_off_the_wire_can_break_the_reader(value: Any, noise: bytes) -> None:
    inbox = Inbox(CID)
    broken: list[Json] = [
        {"kind": kind, "id": value, "attempt": value, "delta": value}
        for kind in ("accepted", "waiting", "chunk", "restarted", "result", "failure", "hint")
    ]
    half_broken = [
        {**wire.chunk(CID, 0), "delta": value},
        wire.chunk(CID, 0, tool_calls=[{"index": value, "id": value, "function": value}]),
        wire.chunk(CID, 1, tool_calls=[{"function": {"name": value, "arguments": value}}]),
        {**wire.chunk(CID, 2), "id": value},
        {**wire.result(CID, "x"), "digests": value},
    ]
    for body in (noise, *map(wire.encoded, broken + half_broken)):
        received = read(body)
        assert received is None or isinstance(inbox.take(received), list)
