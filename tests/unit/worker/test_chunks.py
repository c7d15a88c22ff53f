"""A chunk that is put into frames at once has the very bytes of the general way."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_worker.completion import Delta
from fleet_worker.replies.chunks import Chunks
from fleet_worker.replies.frames import publication
from harness.publishing import messages_of
from harness.requests import a_request

OURS = 3
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
LOGPROBS = st.none() | st.just({"content": [{"token": "a", "logprob": -0.5}]})
FIELDS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["content", "reasoning_content"]),
    st.text(st.characters(exclude_categories=["Cs"])),
    min_size=1,
) | st.just({"tool_calls": [{"index": 0, "function": {"arguments": '{"a": "é'}}]})


REQUESTS = st.builds(
    a_request,
    correlation_id=NAMES,
    reply_to=st.none() | st.just("amq.rabbitmq.reply-to.abc") | NAMES,
    retry=st.integers(0, 3),
)
CHUNKS = st.builds(
    Chunks,
    REQUESTS,
    run=st.from_regex(r"[0-9a-f]{8}", fullmatch=True),
    attempt=st.integers(1, 300),
)
PLACES = st.tuples(
    st.integers(0, 10**6),
    st.integers(1, 3),
    st.sampled_from([0, 64, 4096]),
    st.sampled_from([b"id-1", b"id-10"]),
)


@given(CHUNKS, st.builds(Delta, FIELDS, LOGPROBS), st.lists(PLACES, min_size=1, max_size=4))
def test_a_chunk_is_framed_as_any_other_message_is(
    chunks: Chunks, delta: Delta, places: list[tuple[int, int, int, bytes]]
):
    for seq, channel, frame_max, message_id in places:
        chunks.last_seq = seq - 1
        chunk = chunks.next(delta)
        general = publication(chunk.outgoing(), message_id, channel, frame_max)
        assert chunk.publication(message_id, channel, frame_max) == general


def test_a_chunk_says_its_number_and_its_attempt_in_body_and_headers():
    chunks = Chunks(a_request(), "r1", 2)
    for letter in "abcdefg":
        chunks.next(Delta({"content": letter}))
    chunk = chunks.next(Delta({"content": "é"}))
    ((_, head, body),) = messages_of(chunk.publication(b"id-1", OURS, 4096), OURS)
    assert orjson.loads(body) == {
        "kind": "chunk",
        "id": "c-1:r1:2:7",
        "attempt": 2,
        "seq": 7,
        "delta": {"content": "é"},
    }
    assert head.properties.headers == {"fleet-attempt": 2, "fleet-id": "c-1:r1:2:7", "fleet-seq": 7}


def test_what_no_frame_can_hold_is_refused():
    chunk = Chunks(a_request(reply_to="x" * 256), "r1", 1).next(Delta({"content": "a"}))
    with pytest.raises(ValueError, match="shorten"):
        chunk.publication(b"id-1", OURS, 4096)
