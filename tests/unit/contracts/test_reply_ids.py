"""Stable ids: two replies share one only if they are the same reply."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.reply import (
    KINDS,
    accepted_id,
    chunk_id,
    final_id,
    id_base,
    message_type,
    refused_id,
    restarted_id,
)

WORDS = st.from_regex(r"[a-z0-9]{6}", fullmatch=True)
NUMBERS = st.integers(min_value=0, max_value=10**6)
CIDS = st.text(min_size=1)


@given(CIDS, WORDS, NUMBERS, NUMBERS)
def test_the_replies_of_one_request_have_different_ids(cid: str, run: str, attempt: int, seq: int):
    ids = [
        accepted_id(cid),
        chunk_id(cid, run, attempt, seq),
        restarted_id(cid, run, attempt),
        final_id(cid),
        refused_id(cid, run),
    ]
    assert all(one != other for one, other in combinations(ids, 2))


@given(CIDS, st.lists(st.tuples(WORDS, NUMBERS, NUMBERS), unique=True, max_size=20))
def test_no_two_chunks_of_a_request_share_an_id(cid: str, chunks: list[tuple[str, int, int]]):
    assert len({chunk_id(cid, *chunk) for chunk in chunks}) == len(chunks)


@given(CIDS, WORDS, NUMBERS, NUMBERS)
def test_a_chunk_s_place_is_read_from_the_right_end_of_its_id(cid: str, run: str, attempt: int, seq: int):
    assert chunk_id(cid, run, attempt, seq).rsplit(":", 3) == [cid, run, str(attempt), str(seq)]
    assert restarted_id(cid, run, attempt).rsplit(":", 3)[1] == run


@given(CIDS, st.integers(min_value=1, max_value=99))
def test_asking_again_gives_new_ids_and_not_asking_again_keeps_them(cid: str, retry: int):
    assert final_id(id_base(cid, 0)) == f"{cid}:final"
    assert final_id(id_base(cid, retry)) == f"{cid}~{retry}:final"


def test_a_reply_s_amqp_type_is_its_kind_with_the_version():
    assert {message_type(kind) for kind in KINDS} == {
        "accepted.v1",
        "waiting.v1",
        "history.v1",
        "chunk.v1",
        "restarted.v1",
        "result.v1",
        "failure.v1",
    }
