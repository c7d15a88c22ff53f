"""Frames are the public library's, byte for byte; answers are found wherever their bytes are cut."""

from datetime import UTC, datetime
from itertools import pairwise

import aio_pika
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, frame, header
from pamqp.base import Frame
from pamqp.heartbeat import Heartbeat

from fleet_worker.replies.answers import HEARTBEAT, Answer, ChannelClosed, Confirmed, Returned, Sieve
from fleet_worker.replies.frames import publication
from fleet_worker.replies.outgoing import Outgoing
from harness.publishing import messages_of

OURS = 3
Part = tuple[bytes, list[Answer], bool]
"""Bytes, what is heard in them, and whether they go through."""
NAMES = st.text(max_size=60)
OURS_TO_SAY = st.text() | st.integers(-(2**63), 2**63 - 1)
OF_OTHERS = st.recursive(
    OURS_TO_SAY
    | st.none()
    | st.booleans()
    | st.floats(width=32, allow_nan=False)
    | st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
HEADERS = st.dictionaries(st.text(min_size=1, max_size=20), OF_OTHERS, max_size=4)
MESSAGES = st.builds(
    Outgoing,
    exchange=st.from_regex(r"[a-zA-Z0-9_.:-]{0,40}", fullmatch=True),
    routing_key=NAMES,
    body=st.binary(max_size=300),
    type=st.none() | NAMES.filter(bool),
    correlation_id=st.none() | NAMES.filter(bool),
    reply_to=st.none() | NAMES.filter(bool),
    headers=HEADERS,
    mandatory=st.booleans(),
)


def as_the_library_writes_it(message: Outgoing, message_id: str) -> bytes:
    properties = aio_pika.Message(
        message.body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=message_id,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        type=message.type,
        headers=dict(message.headers),
    ).properties
    publish = commands.Basic.Publish(
        exchange=message.exchange, routing_key=message.routing_key, mandatory=message.mandatory
    )
    head = header.ContentHeader(body_size=len(message.body), properties=properties)
    frames = [publish, head, *([body.ContentBody(message.body)] if message.body else [])]
    return b"".join(frame.marshal(each, OURS) for each in frames)


@given(MESSAGES)
def test_a_publish_is_the_public_library_s_byte_for_byte(message: Outgoing):
    assert publication(message, b"id-1", OURS, 131_072) == as_the_library_writes_it(message, "id-1")


@given(st.binary(max_size=3000), st.integers(500, 1000))
def test_a_body_longer_than_a_frame_is_cut_and_no_frame_is_too_long(content: bytes, frame_max: int):
    message = Outgoing(exchange="", routing_key="q", body=content)
    frames = publication(message, b"id-1", OURS, frame_max)
    ((_, _, read),) = messages_of(frames, OURS)
    assert read == content
    while frames:
        used, _, _ = frame.unmarshal(frames)
        assert used <= frame_max
        frames = frames[used:]


@pytest.mark.parametrize("headers", [{"a": {1}}, {"a": [2**63]}, {"a": 2**63}, {"x" * 256: 1}])
def test_what_no_frame_can_hold_is_refused(headers: dict[str, object]):
    with pytest.raises(ValueError, match=r"header|name"):
        publication(Outgoing(exchange="", routing_key="q", body=b"", headers=headers), b"id-1", OURS, 4096)


def ack(tag: int, *, multiple: bool) -> Part:
    said: Answer = Confirmed(tag, multiple=True, taken=True) if multiple else tag
    return frame.marshal(commands.Basic.Ack(tag, multiple), OURS), [said], False


def nack(tag: int, *, multiple: bool) -> Part:
    return frame.marshal(commands.Basic.Nack(tag, multiple), OURS), [Confirmed(tag, multiple, False)], False  # noqa: FBT003


def returned(message: Outgoing) -> Part:
    publish = commands.Basic.Publish(
        exchange=message.exchange, routing_key=message.routing_key, mandatory=message.mandatory
    )
    content = as_the_library_writes_it(message, "word0001")[len(frame.marshal(publish, OURS)) :]
    back = commands.Basic.Return(312, "NO_ROUTE", message.exchange, message.routing_key)
    return frame.marshal(back, OURS) + content, [Returned("word0001")], False


def passing(part: Frame | Heartbeat, channel: int) -> Part:
    return frame.marshal(part, channel), [], True


TAGS = st.integers(1, 2**63 - 1)
PARTS = st.one_of(
    st.builds(ack, TAGS, multiple=st.booleans()),
    st.builds(nack, TAGS, multiple=st.booleans()),
    st.builds(returned, MESSAGES),
    st.sampled_from(
        [
            passing(Heartbeat(), 0),
            passing(commands.Basic.Ack(5), OURS + 1),
            passing(commands.Basic.QosOk(), OURS),
            passing(commands.Connection.Blocked("low on memory"), 0),
            passing(commands.Connection.Unblocked(), 0),
        ]
    ),
)


@given(st.lists(PARTS, max_size=12), st.lists(st.integers(0, 4000), max_size=12))
def test_answers_are_taken_out_and_all_else_goes_through_wherever_the_bytes_are_cut(
    parts: list[Part], cuts: list[int]
):
    sieve = Sieve()
    sieve.channel = OURS
    data = b"".join(part for part, _, _ in parts)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    through, answers = b"", list[Answer]()
    for start, end in pairwise(edges):
        passed, heard = sieve.feed(data[start:end])
        through += passed
        answers += heard
    assert answers == [answer for _, expected, _ in parts for answer in expected]
    assert through == b"".join(part for part, _, passes in parts if passes)


@pytest.mark.parametrize(
    "end", [commands.Channel.Close(404, "NOT_FOUND", 60, 40), commands.Channel.CloseOk()]
)
def test_a_closed_channel_is_told_to_both_sides_and_its_number_is_given_up(end: Frame):
    sieve = Sieve()
    sieve.channel = OURS
    close = frame.marshal(end, OURS)
    another_s = frame.marshal(commands.Basic.Ack(1), OURS)
    assert sieve.feed(close + another_s) == (close + another_s, [ChannelClosed()])


def test_a_broker_that_takes_no_publishes_says_so_to_both_sides():
    sieve = Sieve()
    for said, blocked in (
        (commands.Connection.Blocked("low on memory"), True),
        (commands.Connection.Unblocked(), False),
    ):
        told = frame.marshal(said, 0)
        assert (sieve.feed(told), sieve.blocked) == ((told, []), blocked)


def test_a_broker_that_speaks_another_protocol_is_let_through():
    sieve = Sieve()
    assert sieve.feed(b"AMQP\x00\x01\x00\x00") == (b"AMQP\x00\x01\x00\x00", [])
    assert sieve.feed(b"x") == (b"x", [])


def test_the_heartbeat_is_the_library_s():
    assert frame.marshal(Heartbeat(), 0) == HEARTBEAT
