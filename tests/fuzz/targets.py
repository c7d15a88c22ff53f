"""What is fuzzed: each target takes any bytes, and raises where a promise is broken."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any, cast

import orjson

from fleet_client.errors import FleetError
from fleet_client.events import Finished
from fleet_client.inbox import Inbox
from fleet_client.reading import read as read_reply
from fleet_contracts.grammar import RequestType, is_tenant
from fleet_worker.completion import Completion, CompletionError, Delta
from fleet_worker.composing import Took, compose_chunk, compose_result
from fleet_worker.deepseek.reading import StreamedAnswer, WholeAnswer
from fleet_worker.deepseek.sse import EventReader, EventTooLargeError
from fleet_worker.deepseek.verdict import check
from fleet_worker.delivery import Delivery, TenantRule
from fleet_worker.door.deaths import death_of, revived
from fleet_worker.door.reading import read as read_request
from fleet_worker.ports import Sent
from fleet_worker.request import Refusal
from harness.requests import a_request

NOW_MS = 1_795_000_000_000
OPEN = TenantRule()
STRICT = TenantRule(strict=True, trusted_users=frozenset({"fleet-operator"}))
LONGEST = 512
WINDOW = 8
SEPARATOR = b"\x00"
QUEUES = ("deepseek.requests", "deepseek.requests.batch", "deepseek.requests.resumed", "anything")

Target = Callable[[bytes], None]


def event_reader(data: bytes) -> None:
    """Any cut of the same bytes gives the same events, or the one error that it knows."""
    size = 1 + (data[0] if data else 0)
    whole, cut = _events([data]), _events([data[at : at + size] for at in range(0, len(data), size)])
    assert whole == cut


def answer(data: bytes) -> None:
    """An upstream's body ends as a reply that can be published, or as an error of the closed set."""
    for kind in RequestType:
        for stream in (True, False):
            _run(_answered(data, kind, stream=stream))


def envelope(data: bytes) -> None:
    """A message ends as a request of its sender or as a refusal; in strict mode the broker names it."""
    delivery = _delivery(data)
    for rule in (OPEN, STRICT):
        for each in (delivery, revived(delivery, death_of(delivery))):
            reading = read_request(each, rule, NOW_MS)
            assert is_tenant(reading.tenant)
            assert reading.reply_to is None or not reading.reply_to.startswith("deepseek.requests")
            is_own = each.queue != "deepseek.requests.resumed" and each.user_id not in STRICT.trusted_users
            if rule is STRICT and is_own and not isinstance(reading, Refusal):
                assert reading.tenant == each.user_id
            if rule is STRICT and reading.reply_to is not None:
                assert reading.reply_to.startswith(f"deepseek.reply.{reading.tenant}.")


def inbox(data: bytes) -> None:
    """Whatever comes on a reply queue: one end, nothing after it, and no more held than the window."""
    box = Inbox("c-1", window=WINDOW)
    box.published("m-1")
    ends = 0
    for line in data.split(b"\n"):
        received = read_reply(line)
        items = [] if received is None else box.take(received)
        assert not (ends and items)
        ends += sum(isinstance(item, Finished | FleetError) for item in items)
        assert len(cast("Any", box)._early) <= WINDOW + 1
    assert ends <= 1
    assert box.ended == bool(ends)


TARGETS: dict[str, Target] = {
    "event_reader": event_reader,
    "answer": answer,
    "envelope": envelope,
    "inbox": inbox,
}


def _events(pieces: list[bytes]) -> list[bytes] | None:
    reader, events = EventReader(LONGEST), list[bytes]()
    try:
        for piece in pieces:
            events += reader.feed(piece)
    except EventTooLargeError:
        # Where it gives up depends on the cut, so there is nothing to compare.
        return None if len(b"".join(pieces)) > LONGEST else []
    return events if len(b"".join(pieces)) <= LONGEST else None


async def _answered(data: bytes, kind: RequestType, *, stream: bool) -> None:
    request = a_request(type=kind, stream=stream)
    deltas: list[Delta] = []
    watch = cast("Any", Unwatched())
    reader = StreamedAnswer(kind, deltas.append, watch) if stream else WholeAnswer(watch)
    try:
        response = await reader.read(_pieces(data))
        check(response, request)
    except CompletionError:
        orjson.dumps([reader.partial(), reader.usage()])
        return
    for seq, delta in enumerate(deltas):
        compose_chunk(request, "r", 1, seq, delta)
    compose_result(
        request, Completion(response, "t", 1, 2), Sent(len(deltas) - 1, degraded=False), 1, Took(0, 0)
    )


class Unwatched:
    """No clock: everything is there at once."""

    def wait_for_content(self) -> None:
        """The headers came."""

    wait_for_body = content = finished = wait_for_content


def _run(work: Coroutine[Any, Any, None]) -> None:
    # Nothing in it ever waits, and an event loop for each input would cost more than the input.
    with suppress(StopIteration):
        work.send(None)


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _delivery(data: bytes) -> Delivery:
    parts = _parts(data)
    queue = next(parts)
    headers = _json(next(parts))
    return Delivery(
        queue=QUEUES[len(queue) % len(QUEUES)],
        exchange="deepseek.requests",
        headers=cast("dict[str, Any]", headers) if isinstance(headers, dict) else {},
        routing_key=_text(next(parts)) or "",
        correlation_id=_text(next(parts)),
        reply_to=_text(next(parts)),
        type=_text(next(parts)),
        message_id=_text(next(parts)),
        user_id=_text(next(parts)),
        content_encoding=_text(next(parts)),
        body=next(parts),
    )


def _parts(data: bytes) -> Iterator[bytes]:
    yield from data.split(SEPARATOR, 9)
    while True:
        yield b""


def _text(part: bytes) -> str | None:
    return part.decode(errors="replace")[:255] or None


def _json(part: bytes) -> Any:
    try:
        return orjson.loads(part)
    except orjson.JSONDecodeError:
        return None
