"""An event that is like the last one is read by its text alone, and never read otherwise than in full."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.grammar import RequestType
from fleet_worker.completion import Delta
from fleet_worker.deepseek.assembly import Assembly
from fleet_worker.deepseek.likeness import MAX_EVENT_BYTES, MAX_TRIES, Likeness
from fleet_worker.deepseek.reading import StreamedAnswer
from fleet_worker.deepseek.shapes import Json

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


class Silence:
    """A watch that nobody looks at."""

    def wait_for_content(self) -> None: ...

    def content(self) -> None: ...

    def finished(self) -> None: ...


def a_chunk(text: str, field: str = "content", **more: Any) -> Json:
    choice = {"index": 0, "delta": {field: text}, "logprobs": None, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice], **more}


def event(chunk: Json) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"


def can_be_learned(text: str) -> bool:
    """Whether it stands nowhere else in its event; a quoted colon is between any two strings."""
    return bool(text) and orjson.dumps(text) not in event(a_chunk(""))


def learned(chunk: Json, field: str = "content") -> Likeness:
    likeness = Likeness(RequestType.CHAT)
    text = chunk["choices"][0]["delta"][field]
    likeness.learn(orjson.dumps(chunk), chunk, Delta({field: text}))
    return likeness


@given(TEXTS.filter(can_be_learned), TEXTS)
def test_of_a_like_event_the_text_is_read_whatever_it_holds(first: str, second: str) -> None:
    likeness = learned(a_chunk(first))
    assert likeness.text_of(event(a_chunk(second))) == second


@given(TEXTS.filter(can_be_learned), st.lists(TEXTS, min_size=1, max_size=5))
def test_of_like_events_in_one_piece_all_texts_are_read(first: str, others: list[str]) -> None:
    likeness = learned(a_chunk(first))
    assert likeness.texts_of(b"".join(event(a_chunk(text)) for text in others)) == others


@pytest.mark.parametrize(
    "between", [event(a_chunk("b", id="d")), b": still here\n\n", b"data: {}\n\n", b"\n"], ids=repr
)
def test_like_events_with_another_one_between_them_are_not_read_by_likeness(between: bytes) -> None:
    assert learned(a_chunk("a")).texts_of(event(a_chunk("b")) + between + event(a_chunk("c"))) is None


@pytest.mark.parametrize(
    "other",
    [
        event(a_chunk("b", id="d")),
        event(a_chunk("b", field="reasoning_content")),
        event(a_chunk("b", usage={"total_tokens": 1})),
        event(a_chunk("b"))[:-1],
        b"data: [DONE]\n\n",
        b"",
        event(a_chunk("X")).replace(b'"X"', b'"b", "more":"c"'),
        event(a_chunk("X")).replace(b"X", b"a\nb"),
        event(a_chunk("X")).replace(b"X", b"\xff"),
        event(a_chunk("X")).replace(b"X", b"\\"),
    ],
)
def test_any_other_event_is_left_to_the_parser(other: bytes) -> None:
    assert learned(a_chunk("a")).text_of(other) is None


@pytest.mark.parametrize("text", ["c", "content"])
def test_a_text_that_stands_elsewhere_too_is_not_mistaken(text: str) -> None:
    likeness = learned(a_chunk(text))
    assert likeness.text_of(event(a_chunk("b"))) == "b"
    assert likeness.text_of(event({**a_chunk(text), "id": "z"})) is None


def test_a_text_that_stands_everywhere_is_left_to_the_parser() -> None:
    assert learned(a_chunk(":")).texts_of(event(a_chunk("b"))) is None


def test_a_stream_in_which_each_event_is_another_one_is_not_learned_for_ever() -> None:
    likeness = Likeness(RequestType.CHAT)
    for number in range(MAX_TRIES):
        chunk = a_chunk("a", usage={"total_tokens": number})
        likeness.learn(orjson.dumps(chunk), chunk, Delta({"content": "a"}))
    likeness.learn(orjson.dumps(a_chunk("a")), a_chunk("a"), Delta({"content": "a"}))
    assert likeness.text_of(event(a_chunk("b"))) is None


def test_what_is_too_long_for_a_token_is_not_kept() -> None:
    likeness = learned(chunk := a_chunk("a", more="x" * MAX_EVENT_BYTES))
    assert likeness.text_of(event({**chunk, **a_chunk("b")})) is None


def test_a_stream_that_can_not_be_learned_is_not_tried_for_ever() -> None:
    likeness, chunk = Likeness(RequestType.CHAT), {"a": "c", "b": "c", **a_chunk("c")}
    for _ in range(MAX_TRIES):
        likeness.learn(orjson.dumps(chunk), chunk, Delta({"content": "c"}))
    likeness.learn(orjson.dumps(a_chunk("a")), a_chunk("a"), Delta({"content": "a"}))
    assert likeness.text_of(event(a_chunk("b"))) is None


@given(TEXTS.filter(bool), st.sampled_from([0, 100, 100_000]))
def test_a_text_alone_counts_as_much_as_its_whole_chunk(text: str, size_bytes: int) -> None:
    by_text, in_full = Assembly(RequestType.CHAT), Assembly(RequestType.CHAT)
    for assembly in (by_text, in_full):
        assembly.add(a_chunk("a"), 100)
    by_text.add_text("content", text, size_bytes)
    in_full.add(a_chunk(text), size_bytes)
    assert by_text.size == in_full.size


PIECES = st.lists(
    st.one_of(
        TEXTS.map(a_chunk),
        TEXTS.map(lambda text: a_chunk(text, field="reasoning_content")),
        TEXTS.map(lambda text: a_chunk(text, id="other")),
        st.just(a_chunk("", choices=[])),
        st.builds(a_chunk, TEXTS, unknown=st.integers(0, 9)),
    ),
    max_size=12,
)


async def a_stream_of(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in [*pieces, b"data: [DONE]\n\n"]:
        yield piece


@given(PIECES, st.lists(st.booleans(), min_size=12, max_size=12))
async def test_a_stream_read_by_likeness_is_the_stream_read_in_full(
    chunks: list[Json], apart: list[bool]
) -> None:
    pieces: list[bytes] = [b": keep-alive\n\n"]
    for chunk, alone in zip(chunks, apart, strict=False):
        if alone:
            pieces.append(event(chunk))
        else:
            pieces[-1] += event(chunk)
    deltas, silence = list[Delta](), Silence()
    watch: Any = silence
    answer = await StreamedAnswer(RequestType.CHAT, deltas.append, watch).read(a_stream_of(pieces))
    whole = Assembly(RequestType.CHAT)
    assert deltas == [delta for chunk in chunks if (delta := whole.add(orjson.loads(orjson.dumps(chunk))))]
    assert answer == whole.response()
