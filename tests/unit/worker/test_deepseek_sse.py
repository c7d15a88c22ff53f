"""The reader of event streams: any cut of the same bytes gives the same events."""

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_worker.deepseek.sse import EventReader, EventTooLargeError

_DATA = [b"data: {}", b"data:x", b"data:  two", b"data:", b"data", b"data: \xc3", b"data: [DONE]"]
_OTHERS = [b"database: 1", b": keep-alive", b":", b"event: e", b"id: 1", b"retry: 10", b"", b""]
_LINES = st.sampled_from([*_DATA, *_OTHERS])
_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
_JUNK = st.binary(max_size=12)
_STREAMS = st.tuples(
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.one_of(st.tuples(_LINES, _ENDS), st.tuples(_JUNK, _ENDS)), max_size=25),
    st.sampled_from([b"", b"data: half"]),
).map(lambda parts: parts[0] + b"".join(line + end for line, end in parts[1]) + parts[2])


def naive(stream: bytes) -> list[bytes]:
    """The specification, word for word, over the whole stream at once."""
    events: list[bytes] = []
    data: list[bytes] = []
    for line in re.split(rb"\r\n|\r|\n", stream.removeprefix(b"\xef\xbb\xbf"))[:-1]:
        name, _, value = line.partition(b":")
        if not line:
            events += [b"\n".join(data)] if data else []
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    return events


def read(*pieces: bytes) -> list[bytes]:
    reader = EventReader()
    return [data for piece in pieces for data in reader.feed(piece)]


@given(stream=_STREAMS, cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_cut_of_the_same_bytes_gives_the_events_of_the_specification(
    stream: bytes, cuts: list[int]
) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert read(*(stream[start:end] for start, end in pairwise(edges))) == naive(stream)


@given(stream=_STREAMS)
def test_pieces_of_one_event_each_give_the_events_of_the_specification(stream: bytes) -> None:
    assert read(*re.findall(rb".*?\n\n|.+", stream, re.DOTALL)) == naive(stream)


@given(stream=_STREAMS)
def test_single_bytes_give_the_events_of_the_specification(stream: bytes) -> None:
    assert read(*(bytes([byte]) for byte in stream)) == naive(stream)


def test_comments_blank_lines_and_other_fields_give_nothing() -> None:
    assert read(b": keep-alive\n\n\n\nevent: ping\nid: 7\nretry: 100\n\n") == []


def test_the_lines_of_one_event_are_joined() -> None:
    assert read(b"data: one\ndata: two\n\n") == [b"one\ntwo"]


def test_an_event_without_its_blank_line_is_not_given() -> None:
    assert read(b"data: whole\n\ndata: half\n") == [b"whole"]


def test_a_byte_order_mark_counts_only_at_the_start() -> None:
    assert read(b"\xef\xbb", b"\xbfdata: a\n\n", b"\xef\xbb\xbfdata: b\n\n") == [b"a"]


def test_a_line_over_the_bound_is_refused_before_it_is_whole() -> None:
    reader = EventReader(max_bytes=1000)
    reader.feed(b"data: " + b"x" * 900)
    with pytest.raises(EventTooLargeError, match="1000 bytes"):
        reader.feed(b"x" * 100)


def test_an_event_of_many_lines_over_the_bound_is_refused() -> None:
    reader = EventReader(max_bytes=1000)
    with pytest.raises(EventTooLargeError):
        reader.feed((b"data: " + b"x" * 90 + b"\n") * 12)


def test_a_line_of_ten_megabytes_in_small_pieces_takes_linear_time() -> None:
    def seconds(megabytes: int) -> float:
        piece, reader = b"x" * 256, EventReader()
        reader.feed(b"data: ")
        started = time.process_time()
        for _ in range(megabytes * 4096):
            reader.feed(piece)
        assert len(reader.feed(b"\n\n")[0]) == megabytes * 2**20
        return time.process_time() - started

    short = min(seconds(1) for _ in range(3))
    assert seconds(10) < 40 * short
