from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fleet_worker.completion import Delta
from fleet_worker.replies.joining import MAX_CHUNK_CHARACTERS, Announcement, InLine, Outbox, join


def a_delta(kind: str, text: str) -> Delta:
    return Delta({kind: text})


deltas = st.builds(
    a_delta,
    st.sampled_from(["content", "reasoning_content"]),
    st.text(min_size=1),
)


def emptied(outbox: Outbox) -> list[Announcement | InLine | Delta]:
    taken: list[Announcement | InLine | Delta] = []
    while (item := outbox.take()) is not None:
        taken.append(item)
    return taken


def text_of(items: list[Announcement | InLine | Delta], kind: str) -> str:
    return "".join(item.fields.get(kind, "") for item in items if isinstance(item, Delta))


@given(st.lists(deltas))
def test_joining_neither_loses_nor_moves_a_character(queued: list[Delta]):
    outbox = Outbox(10**9)
    for delta in queued:
        assert outbox.add(delta)
    taken = emptied(outbox)
    for kind in ("content", "reasoning_content"):
        assert text_of(taken, kind) == "".join(delta.fields.get(kind, "") for delta in queued)
    kinds = [next(iter(item.fields)) for item in taken if isinstance(item, Delta)]
    assert all(one != other for one, other in pairwise(kinds))


def test_a_reader_that_keeps_up_gets_each_delta_alone():
    outbox = Outbox(100)
    outbox.add(Delta({"content": "a"}))
    assert outbox.take() == Delta({"content": "a"})
    outbox.add(Delta({"content": "b"}))
    assert outbox.take() == Delta({"content": "b"})
    assert outbox.take() is None


def test_fragments_of_tool_calls_are_kept_apart_and_in_order():
    first, second = {"index": 0, "function": {"arguments": "{"}}, {"index": 0, "function": {"arguments": "}"}}
    joined = join([Delta({"tool_calls": [first]}), Delta({"tool_calls": [second]})])
    assert joined.fields == {"tool_calls": [first, second]}


def test_log_probabilities_are_joined_with_their_text():
    parts = [
        Delta({"content": "a"}, {"content": [{"token": "a"}]}),
        Delta({"content": "b"}, {"content": [{"token": "b"}]}),
    ]
    assert join(parts).logprobs == {"content": [{"token": "a"}, {"token": "b"}]}


def test_a_chunk_does_not_grow_past_its_bound():
    outbox = Outbox(10**9)
    half = "x" * (MAX_CHUNK_CHARACTERS // 2 + 1)
    for _ in range(3):
        outbox.add(Delta({"content": half}))
    assert [len(item.fields["content"]) for item in emptied(outbox) if isinstance(item, Delta)] == [
        len(half)
    ] * 3


def test_more_than_the_bound_is_not_taken_in():
    outbox = Outbox(3)
    assert outbox.add(Delta({"content": "abc"}))
    assert not outbox.add(Delta({"content": "d"}))
    outbox.take()
    assert outbox.add(Delta({"content": "d"}))


def test_an_announcement_drops_the_text_of_the_attempt_before_it():
    outbox = Outbox(100)
    outbox.announce(Announcement(1, None))
    outbox.add(Delta({"content": "old"}))
    outbox.announce(Announcement(2, "upstream_interrupted"))
    outbox.add(Delta({"content": "new"}))
    assert emptied(outbox) == [
        Announcement(1, None),
        Announcement(2, "upstream_interrupted"),
        Delta({"content": "new"}),
    ]
