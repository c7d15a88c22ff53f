"""What a reader is shown, whatever the wire does to the replies."""

from typing import Any

from fleet_client.errors import Conflict, FleetError, Internal
from fleet_client.events import (
    Accepted,
    Finished,
    Reasoning,
    Restarted,
    Text,
    ToolCallDelta,
    Waiting,
)
from fleet_client.inbox import Inbox, Item
from fleet_client.reading import read
from harness import replies as wire

CID = "c-1"


def show(*replies: dict[str, Any], inbox: Inbox | None = None) -> list[Item]:
    inbox = inbox or Inbox(CID)
    items: list[Item] = []
    for reply in replies:
        received = read(wire.encoded(reply))
        items += [] if received is None else inbox.take(received)
    return items


def kinds(items: list[Item]) -> list[str]:
    return [type(item).__name__ for item in items]


def test_a_plain_stream_is_shown_as_it_comes() -> None:
    items = show(
        wire.accepted(CID),
        wire.chunk(CID, 0, reasoning_content="hm"),
        wire.chunk(CID, 1, "Hel"),
        wire.chunk(CID, 2, "lo"),
        wire.result(CID, "Hello", reasoning="hm", last_seq=2),
    )
    assert items[:4] == [Accepted(1, 3, "w1"), Reasoning("hm"), Text("Hel"), Text("lo")]
    assert isinstance(items[4], Finished)
    assert items[4].answer.text == "Hello"


def test_a_chunk_that_comes_twice_is_shown_once() -> None:
    items = show(wire.chunk(CID, 0, "a"), wire.chunk(CID, 0, "a"), wire.chunk(CID, 1, "b"))
    assert items == [Text("a"), Text("b")]


def test_repeats_of_what_was_shown_take_no_room_in_the_window() -> None:
    first = [wire.chunk(CID, seq, str(seq)) for seq in range(9)]
    items = show(*first, *first, wire.chunk(CID, 9, "9"), inbox=Inbox(CID, window=2))
    assert items[-1] == Text("9")


def test_chunks_out_of_order_are_shown_in_order() -> None:
    items = show(wire.chunk(CID, 2, "c"), wire.chunk(CID, 1, "b"), wire.chunk(CID, 0, "a"))
    assert items == [Text("a"), Text("b"), Text("c")]


def test_after_a_restart_the_old_attempt_is_shut_out() -> None:
    items = show(
        wire.chunk(CID, 0, "old"),
        wire.restarted(CID, 2, "r2"),
        wire.chunk(CID, 1, "late"),
        wire.chunk(CID, 0, "new", attempt=2, run="r2"),
        wire.result(CID, "new", attempt=2, last_seq=0),
    )
    assert items[:3] == [Text("old"), Restarted(2, "worker_lost"), Text("new")]
    assert kinds(items[3:]) == ["Finished"]


def test_a_newer_attempt_is_never_glued_to_the_old_text_even_where_nobody_announced_it() -> None:
    items = show(wire.chunk(CID, 0, "old"), wire.chunk(CID, 0, "new", attempt=2, run="r2"))
    assert items == [Text("old"), Restarted(2, "new_attempt"), Text("new")]


def test_a_restart_that_comes_after_its_first_chunk_is_not_told_again() -> None:
    items = show(
        wire.chunk(CID, 0, "old"),
        wire.chunk(CID, 0, "new", attempt=2, run="r2"),
        wire.restarted(CID, 2, "r2"),
    )
    assert items == [Text("old"), Restarted(2, "new_attempt"), Text("new")]


def test_another_run_of_the_same_attempt_is_another_text() -> None:
    items = show(
        wire.chunk(CID, 0, "one", run="r1"),
        wire.chunk(CID, 0, "two", run="r2"),
        wire.chunk(CID, 1, "one again", run="r1"),
    )
    assert items == [Text("one"), Restarted(1, "new_attempt"), Text("two")]


def test_a_lost_tail_comes_with_the_result() -> None:
    items = show(wire.chunk(CID, 0, "Hel"), wire.result(CID, "Hello", last_seq=1))
    assert items[:2] == [Text("Hel"), Text("lo")]
    assert kinds(items[2:]) == ["Finished"]


def test_text_behind_a_gap_is_held_back_and_comes_whole_at_the_end() -> None:
    items = show(wire.chunk(CID, 0, "a"), wire.chunk(CID, 2, "c"), wire.result(CID, "abc", last_seq=2))
    assert items[:2] == [Text("a"), Text("bc")]


def test_text_that_is_not_the_answers_start_is_taken_back() -> None:
    items = show(wire.chunk(CID, 0, "wrong"), wire.result(CID, "right", last_seq=0))
    assert items[:3] == [Text("wrong"), Restarted(1, "chunks_lost"), Text("right")]


def test_a_result_of_an_attempt_that_was_never_shown_takes_the_shown_one_back() -> None:
    items = show(wire.chunk(CID, 0, "He"), wire.result(CID, "Hello", attempt=2))
    assert items[:3] == [Text("He"), Restarted(2, "chunks_lost"), Text("Hello")]


def test_more_chunks_than_the_window_behind_a_gap_wait_for_the_result() -> None:
    inbox = Inbox(CID, window=2)
    late = [wire.chunk(CID, seq, str(seq)) for seq in (1, 2, 3, 0, 4)]
    assert show(*late, inbox=inbox) == []
    items = show(wire.result(CID, "01234", last_seq=4), inbox=inbox)
    assert items[:1] == [Text("01234")]


def test_a_reader_that_was_skipped_gets_the_rest_with_the_result() -> None:
    inbox = Inbox(CID)
    show(wire.chunk(CID, 0, "a"), inbox=inbox)
    inbox.skip()
    assert show(wire.chunk(CID, 1, "b"), inbox=inbox) == []
    assert show(wire.result(CID, "ab", last_seq=1), inbox=inbox)[:1] == [Text("b")]


def test_tool_calls_are_shown_piece_by_piece_and_completed() -> None:
    def piece(**fields: Any) -> list[dict[str, Any]]:
        return [{"index": 0, **fields}]

    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    items = show(
        wire.chunk(
            CID, 0, tool_calls=piece(id="t1", type="function", function={"name": "f", "arguments": ""})
        ),
        wire.chunk(CID, 1, tool_calls=piece(function={"arguments": '{"a"'})),
        wire.result(CID, "", tool_calls=[call], last_seq=2),
    )
    assert items[:3] == [
        ToolCallDelta(0, "t1", "f", ""),
        ToolCallDelta(0, None, None, '{"a"'),
        ToolCallDelta(0, None, None, ":1}"),
    ]
    finished = items[3]
    assert isinstance(finished, Finished)
    assert finished.answer.tool_calls[0].function.arguments == '{"a":1}'


def test_a_lost_tool_call_comes_whole() -> None:
    call = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert show(wire.result(CID, "", tool_calls=[call]))[:1] == [ToolCallDelta(0, "t1", "f", "{}")]


def test_only_the_first_final_reply_counts() -> None:
    items = show(wire.result(CID, "a"), wire.result(CID, "a"), wire.failure(CID, "internal"))
    assert kinds(items) == ["Text", "Finished"]


def test_nothing_is_shown_after_the_end() -> None:
    items = show(wire.result(CID, "ab", last_seq=1), wire.chunk(CID, 0, "a"), wire.restarted(CID, 2, "r2"))
    assert kinds(items) == ["Text", "Finished"]


def test_a_late_reply_to_an_earlier_asking_is_for_nobody() -> None:
    first = [wire.chunk(CID, 0, "old"), wire.failure(CID, "internal"), wire.refusal(CID, "m-1")]
    again = f"{CID}~1"
    inbox = Inbox(CID, retry=1)
    assert show(*first, wire.result(f"{CID}~2", "later"), inbox=inbox) == []
    assert kinds(show(wire.chunk(again, 0, "n"), wire.result(again, "new"), inbox=inbox)) == [
        "Text",
        "Text",
        "Finished",
    ]


def test_an_id_with_a_tilde_and_a_number_is_its_own() -> None:
    cid = "c~1"
    assert kinds(show(wire.result(cid, "a"), inbox=Inbox(cid))) == ["Text", "Finished"]
    assert show(wire.result(cid, "a"), inbox=Inbox("c")) == []


def test_the_refusal_of_somebody_elses_publish_ends_nothing() -> None:
    assert show(wire.refusal(CID, "m-other")) == []


def test_the_refusal_of_our_own_publish_is_the_end() -> None:
    inbox = Inbox(CID)
    inbox.published("m-1")
    [error] = show(wire.refusal(CID, "m-1"), inbox=inbox)
    assert isinstance(error, Conflict)


def test_an_id_that_reads_like_a_refusal_still_gets_its_end() -> None:
    cid = "a:refused:b"
    assert kinds(show(wire.failure(cid, "internal"), inbox=Inbox(cid))) == ["Internal"]


def test_an_answer_that_does_not_match_its_digest_is_not_given_out() -> None:
    reply = wire.result(CID, "right")
    reply["digests"]["content"] = wire.digest("other")
    [error] = show(reply)
    assert isinstance(error, Internal)
    assert "right" not in str(error)


def test_waiting_and_accepted_are_told_once_each() -> None:
    items = show(
        wire.waiting(CID, 1),
        wire.waiting(CID, 1),
        wire.waiting(CID, 0),
        wire.accepted(CID),
        wire.accepted(CID),
    )
    assert items == [Waiting(1, None), Waiting(0, None), Accepted(1, 3, "w1")]


def test_what_comes_next_year_is_ignored() -> None:
    chunk = wire.chunk(CID, 0, "a", mood="good")
    assert show({"kind": "hint", "id": "x"}, {**chunk, "extra": 1}) == [Text("a")]


def test_the_error_keeps_what_came_before_the_break() -> None:
    [error] = show(wire.failure(CID, "upstream_interrupted", partial={"content": "half"}))
    assert isinstance(error, FleetError)
    assert error.partial is not None
    assert error.partial.content == "half"
    assert "half" not in str(error)
