"""How messages are cut, joined and spoiled."""

from hypothesis import given
from hypothesis import strategies as st

from fleet_simulator.faults import Fault, Kind
from fleet_simulator.framing import framed, pieces

MESSAGES = [b'data: {"content":"%d"}\n\n' % number for number in range(7)]


def sent(*faults: Fault) -> list[bytes]:
    plan = {fault.kind: fault for fault in faults}
    return [piece for _, cut in framed(MESSAGES, plan) for piece in cut]


@given(st.binary(max_size=200), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_pieces_joined_are_the_whole(data: bytes, sizes: list[int]) -> None:
    cut = pieces(data, sizes)
    assert b"".join(cut) == data
    assert all(cut)


def test_without_faults_each_message_is_one_write() -> None:
    assert sent() == MESSAGES


def test_messages_can_leave_several_in_one_write() -> None:
    writes = list(framed(MESSAGES, {Kind.MERGE: Fault(Kind.MERGE, events=3)}))
    assert [count for count, _ in writes] == [3, 3, 1]
    assert b"".join(piece for _, cut in writes for piece in cut) == b"".join(MESSAGES)


def test_merged_messages_can_be_cut_in_other_places() -> None:
    cut = sent(Fault(Kind.MERGE, events=2), Fault(Kind.SPLIT, sizes=(5, 30)))
    assert [len(piece) for piece in cut[:3]] == [5, 30, 5]
    assert b"".join(cut) == b"".join(MESSAGES)


def test_lines_can_end_in_crlf() -> None:
    assert b"".join(sent(Fault(Kind.CRLF))) == b"".join(MESSAGES).replace(b"\n", b"\r\n")


def test_a_byte_order_mark_comes_first_and_once() -> None:
    assert b"".join(sent(Fault(Kind.BOM))) == b"\xef\xbb\xbf" + b"".join(MESSAGES)


def test_broken_utf8_spoils_one_message_and_no_other() -> None:
    spoiled = sent(Fault(Kind.BROKEN_UTF8, after_chunks=2))
    assert b"\xc3\x28\xff" in spoiled[2]
    assert [*spoiled[:2], *spoiled[3:]] == [*MESSAGES[:2], *MESSAGES[3:]]


def test_a_huge_line_is_padded_with_a_field_that_means_nothing() -> None:
    spoiled = sent(Fault(Kind.HUGE_LINE, size=50_000, after_chunks=1))
    assert len(spoiled[1]) > 50_000
    assert spoiled[1].endswith(b'"content":"1"}\n\n')
