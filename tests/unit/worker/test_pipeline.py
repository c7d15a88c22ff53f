"""Publishes that wait for nobody: written together, in order, and each told what became of it."""

import asyncio
from collections.abc import Callable

import pytest

from fleet_worker.replies import pipeline as module
from fleet_worker.replies.answers import ChannelClosed, Confirmed, Returned
from fleet_worker.replies.outgoing import Ended, NotConfirmedError, Outgoing, UnroutableError
from fleet_worker.replies.pipeline import Pipeline
from harness.publishing import messages_of
from harness.simulated_time import in_simulated_time


class Line:
    """A channel that says nothing by itself."""

    channel = 5
    frame_max = 131_072

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.given_up = 0

    def give_up(self) -> None:
        self.given_up += 1

    def write(self, frames: bytes) -> None:
        self.writes.append(frames)

    def bodies(self) -> list[bytes]:
        return [content for write in self.writes for _, _, content in messages_of(write, self.channel)]


class Ends:
    """What became of each message, in the order in which it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, type[Exception] | None]] = []

    def of(self, name: str) -> Ended:
        return lambda error: self.told.append((name, None if error is None else type(error)))


def a_message(name: str) -> Callable[[], Outgoing]:
    return lambda: Outgoing(exchange="", routing_key="q", body=name.encode())


async def a_turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def opened() -> tuple[Pipeline, Line, Ends]:
    pipeline, line = Pipeline(lambda: "word"), Line()
    pipeline.open(line)
    return pipeline, line, Ends()


async def test_what_is_ready_in_one_turn_leaves_in_one_write_and_in_order():
    pipeline, line, ends = opened()
    for name in "abc":
        pipeline.post(a_message(name), ends.of(name))
    await a_turn()
    pipeline.post(a_message("d"), ends.of("d"))
    await a_turn()
    assert len(line.writes) == 2
    assert line.bodies() == [b"a", b"b", b"c", b"d"]
    assert ends.told == []


async def test_confirms_find_their_message_by_number_alone_in_any_order_and_many_at_once():
    pipeline, _, ends = opened()
    for name in "abcdef":
        pipeline.post(a_message(name), ends.of(name))
    await a_turn()
    pipeline.hear([Confirmed(3, multiple=False, taken=True), Confirmed(2, multiple=True, taken=True)])
    assert ends.told == [("c", None), ("a", None), ("b", None)]
    pipeline.hear([Confirmed(4, multiple=False, taken=False), Confirmed(0, multiple=True, taken=True)])
    assert ends.told[3:] == [("d", NotConfirmedError), ("e", None), ("f", None)]
    pipeline.hear([Confirmed(4, multiple=False, taken=True)])
    assert len(ends.told) == 6


async def test_a_returned_message_is_unroutable_whatever_its_confirm_says():
    pipeline, line, ends = opened()
    pipeline.post(a_message("a"), ends.of("a"))
    pipeline.post(a_message("b"), ends.of("b"))
    await a_turn()
    (_, head, _), _ = messages_of(line.writes[0], line.channel)
    pipeline.hear([Returned(str(head.properties.message_id)), Returned("of another's" + "0" * 16)])
    assert ends.told == []
    pipeline.hear([Confirmed(2, multiple=True, taken=True)])
    assert ends.told == [("a", UnroutableError), ("b", None)]


async def test_while_broker_or_socket_take_nothing_messages_are_not_even_composed():
    pipeline, line, ends = opened()
    pipeline.hold(line, held=True)
    gathered = ["a"]
    pipeline.post(
        lambda: Outgoing(exchange="", routing_key="q", body="".join(gathered).encode()), ends.of("a")
    )
    await a_turn()
    gathered.append("b")
    assert line.writes == []
    pipeline.hold(line, held=False)
    await a_turn()
    assert line.bodies() == [b"ab"]


async def test_what_was_written_to_a_lost_channel_has_failed_and_what_was_not_goes_over_the_next():
    pipeline, line, ends = opened()
    pipeline.post(a_message("a"), ends.of("a"))
    await a_turn()
    pipeline.hear([ChannelClosed()])
    assert ends.told == [("a", NotConfirmedError)]
    pipeline.post(a_message("b"), ends.of("b"))
    await a_turn()
    following = Line()
    pipeline.open(following)
    await a_turn()
    pipeline.lost(line)  # the old socket's last word comes late
    pipeline.hear([Confirmed(1, multiple=False, taken=True)])
    assert (following.bodies(), ends.told[1:]) == ([b"b"], [("b", None)])


async def test_too_much_unconfirmed_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_UNCONFIRMED", 2)
    pipeline, line, ends = opened()
    for name in "abc":
        pipeline.post(a_message(name), ends.of(name))
    await a_turn()
    assert line.bodies() == [b"a", b"b"]
    pipeline.hear([Confirmed(2, multiple=False, taken=True)])
    await a_turn()
    assert line.bodies() == [b"a", b"b", b"c"]


async def test_what_is_not_confirmed_in_time_has_failed_whether_or_not_it_left(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "CONFIRM_TIMEOUT_S", 0.05)
    pipeline, line, ends = opened()
    pipeline.post(a_message("a"), ends.of("a"))
    await a_turn()
    pipeline.hold(line, held=True)
    with pytest.raises(NotConfirmedError, match="no confirm"):
        await pipeline.publish(a_message("b")())
    pipeline.hold(line, held=False)
    await a_turn()
    pipeline.hear([Confirmed(1, multiple=False, taken=True)])
    assert (ends.told, line.bodies()) == ([("a", NotConfirmedError)], [b"a"])


async def ask_in_vain(pipeline: Pipeline) -> None:
    with pytest.raises(NotConfirmedError):
        await pipeline.publish(a_message("a")())


@in_simulated_time
async def test_a_line_that_answers_nothing_for_long_is_given_up_and_what_waited_goes_over_the_next(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "CONFIRM_TIMEOUT_S", 0.05)
    monkeypatch.setattr(module, "SILENT_S", 0.1)
    pipeline, line, ends = opened()
    await ask_in_vain(pipeline)
    assert not line.given_up, "one answer may be late"
    while not line.given_up:
        await ask_in_vain(pipeline)
    pipeline.post(a_message("b"), ends.of("b"))
    await a_turn()
    pipeline.open(another := Line())
    await a_turn()
    pipeline.hear([Confirmed(1, multiple=False, taken=True)])
    assert (another.bodies(), ends.told, line.given_up) == ([b"b"], [("b", None)], 1)


@in_simulated_time
async def test_a_line_is_kept_that_answers_anything_or_whose_broker_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "CONFIRM_TIMEOUT_S", 0.05)
    monkeypatch.setattr(module, "SILENT_S", 0.1)
    pipeline, line, _ = opened()
    for _ in range(4):
        await ask_in_vain(pipeline)
        pipeline.hear([Returned("of-another-line" + "0" * 16)])
    pipeline.hold(line, held=True)
    for _ in range(4):
        await ask_in_vain(pipeline)
    assert not line.given_up


async def test_a_withdrawn_message_does_not_leave_and_a_cancelled_publish_is_withdrawn():
    pipeline, line, ends = opened()
    pipeline.hold(line, held=True)
    pipeline.post(a_message("a"), ends.of("a")).withdraw()
    publishing = asyncio.create_task(pipeline.publish(a_message("b")()))
    await a_turn()
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)
    pipeline.hold(line, held=False)
    pipeline.post(a_message("c"), ends.of("c"))
    await a_turn()
    assert line.bodies() == [b"c"]
    pipeline.hear([Confirmed(1, multiple=False, taken=True)])
    assert ends.told == [("c", None)]


async def test_one_sender_s_bug_reaches_no_other():
    def broken() -> Outgoing:
        raise ZeroDivisionError

    def deaf(error: Exception | None) -> None:
        del error
        raise ZeroDivisionError

    bugs: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: bugs.append(context["exception"]))
    pipeline, line, ends = opened()
    pipeline.post(broken, ends.of("a"))
    pipeline.post(a_message("b"), deaf)
    pipeline.post(lambda: Outgoing(exchange="", routing_key="q" * 256, body=b""), ends.of("c"))
    pipeline.post(a_message("d"), ends.of("d"))
    await a_turn()
    pipeline.hear([Confirmed(2, multiple=True, taken=True)])
    assert line.bodies() == [b"b", b"d"]
    assert ends.told == [("a", NotConfirmedError), ("c", NotConfirmedError), ("d", None)]
    assert [type(bug) for bug in bugs] == [ZeroDivisionError]


async def test_closing_ends_everything_and_takes_nothing_more():
    pipeline, _, ends = opened()
    pipeline.post(a_message("a"), ends.of("a"))
    await a_turn()
    pipeline.post(a_message("b"), ends.of("b"))
    pipeline.close()
    pipeline.post(a_message("c"), ends.of("c"))
    await a_turn()
    assert ends.told == [(name, NotConfirmedError) for name in "abc"]
