"""Whatever is thrown at the queue ends as one dead letter, and one failure where its sender can be told."""

from typing import Any

import pytest

from fleet_chassis.topology import apply
from fleet_contracts.topology import DELIVERY_LIMIT, REQUESTS_DEAD
from harness.caller import a_follower, until_buried
from harness.house import a_house
from harness.waiting import until

pytestmark = pytest.mark.sockets

GOOD: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Still there?"}],
    "thinking": {"type": "disabled"},
}
MEBIBYTE = 1024 * 1024  # of which RabbitMQ 4 itself carries no more than 16 in a message
HUGE_TABLE = {f"h{number}": "x" for number in range(10_000)}

BAD_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no json": b"hello",
    "no object": b"[1,2]",
    "deep": b"[" * 200_000,
    "deep but parsable": b'{"model":"m","messages":[{"role":"user","content":"a"}],"x":'
    + b"[" * 300
    + b"]" * 300
    + b"}",
    "a million keys": b"{" + b",".join(b'"%d":0' % number for number in range(1_000_000)) + b"}",
    "NaN": b'{"model":"m","temperature":NaN}',
    "infinity": b'{"model":"m","temperature":1e999}',
    "lone surrogate": b'{"model":"\\ud800"}',
    "invalid UTF-8": b'{"model":"\xff\xfe"}',
    "NUL": b"\x00" * 100,
    "BOM": b'\xef\xbb\xbf{"model":"m"}',
    "wrong types": b'{"model":7,"messages":"hi"}',
    "no messages": b'{"model":"deepseek-flash","messages":[]}',
    "retired model": b'{"model":"deepseek-chat","messages":[{"role":"user","content":"a"}]}',
    "15 MiB": b" " * (15 * MEBIBYTE),
}

BAD_PROPERTIES: dict[str, dict[str, Any]] = {
    "unknown type": {"type": "chat.v9"},
    "gzip": {"content_encoding": "gzip"},
    "lying header": {"headers": {"fleet-retry": "many"}},
    "nested header": {"headers": {"fleet-deadline-ms": {"a": {"b": [1]}}}},
    "a conversation without a name": {"headers": {"fleet-conversation": ""}},
    "a conversation that is no text": {"headers": {"fleet-conversation": 7}},
    "a version of no conversation": {"headers": {"fleet-conversation-version": 1}},
    "tenant with a dot": {"headers": {"fleet-tenant": "a.b"}},
    "line break in the correlation ID": {"correlation_id": "a\r\nb"},
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_a_bad_body_is_buried_once_and_its_sender_told(fleet_vhost: str, name: str):
    async with a_house(fleet_vhost) as house:
        correlation_id = await house.caller.ask(BAD_BODIES[name])
        failure = await house.caller.next()
        assert failure["kind"] == "failure"
        assert failure["correlation_id"] == correlation_id
        assert failure["code"] in {"invalid_request", "too_large"}
        assert failure["id"].startswith(f"{correlation_id}:refused:")
        await house.caller.ask(GOOD)
        assert (await house.caller.until_end())[-1]["kind"] == "result"
        (record,) = await until_buried(house.url)
    assert record.body == BAD_BODIES[name]
    assert record.headers["fleet-dead-code"] == failure["code"]


@pytest.mark.parametrize("name", BAD_PROPERTIES)
async def test_a_bad_property_is_buried_once_and_the_worker_goes_on(fleet_vhost: str, name: str):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask(GOOD, **BAD_PROPERTIES[name])
        if "correlation_id" not in BAD_PROPERTIES[name]:
            assert (await house.caller.next())["code"] == "invalid_request"
        await house.caller.ask(GOOD)
        assert (await house.caller.until_end())[-1]["kind"] == "result"
        assert len(await until_buried(house.url)) == 1


@pytest.mark.parametrize(
    "properties",
    [
        {"headers": HUGE_TABLE},
        {"headers": {"x-death": [{"count": 99, "reason": "rejected", "queue": "deepseek.requests"}]}},
        {"headers": {"CC": ["deepseek.dead.raw"], "BCC": ["deepseek.requests.dead"]}},
        {"headers": {"traceparent": "x" * 50_000, "baggage": "y" * 50_000}},
        {"priority": 255},
        {"content_type": "image/png"},
        {"correlation_id": "*.#:{}[]^'\"/../"},
        {"correlation_id": "x" * 255},
    ],
    ids=lambda properties: next(iter(properties)),
)
async def test_what_is_only_strange_is_answered_all_the_same(fleet_vhost: str, properties: dict[str, Any]):
    async with a_house(fleet_vhost) as house:
        correlation_id = await house.caller.ask(GOOD, **properties)
        replies = await house.caller.until_end()
    assert (replies[-1]["kind"], replies[-1]["correlation_id"]) == ("result", correlation_id)


async def test_a_bad_message_whose_reply_queue_is_gone_is_buried_and_told_on_the_results(
    fleet_vhost: str,
):
    async with a_house(fleet_vhost) as house, a_follower(house.url, "failure.#") as follower:
        correlation_id = await house.caller.ask(b"", reply_to="deepseek.reply.acme.gone")
        failure = await follower.next()
        records = await until_buried(house.url)
        await follower.silence()
    assert (failure["code"], failure["correlation_id"]) == ("invalid_request", correlation_id)
    assert len(records) == 1


async def test_a_bad_message_waits_while_the_dead_letters_have_no_queue(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        await house.caller.channel.queue_delete(REQUESTS_DEAD)
        await house.caller.ask(b"")
        assert (await house.caller.next())["code"] == "invalid_request"
        await house.caller.silence(1.0)
        await apply(house.url)
        records = await until_buried(house.url)
    assert len(records) == 1


async def test_without_a_correlation_id_there_is_one_dead_letter_and_silence(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask(GOOD, correlation_id=None)
        records = await until_buried(house.url)
        await house.caller.silence()
    assert [record.headers["fleet-dead-code"] for record in records] == ["invalid_request"]


@pytest.mark.parametrize("reply_to", ["deepseek.requests.batch", "admin.cmds|secret", "#", "x" * 255])
async def test_no_reply_queue_outside_the_callers_own_is_ever_written_to(fleet_vhost: str, reply_to: str):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask(GOOD, reply_to=reply_to)
        await house.caller.ask(GOOD)
        await house.caller.until_end()
        (record,) = await until_buried(house.url)
    assert record.headers["fleet-dead-code"] == "reply_refused"


async def test_a_request_that_worker_after_worker_took_ends_as_a_crash_loop(fleet_vhost: str):
    # What RabbitMQ 4.3 writes into this header; an older broker passes on what the publisher wrote there.
    async with a_house(fleet_vhost) as house:
        correlation_id = await house.caller.ask(GOOD, headers={"x-acquired-count": DELIVERY_LIMIT + 1})
        failure = await house.caller.next()
        records = await until_buried(house.url)
        calls = house.simulator.log.events(kind="admitted")
    assert (failure["code"], failure["id"], calls) == ("crash_loop", f"{correlation_id}:final", [])
    assert [record.headers["fleet-dead-reason"] for record in records] == ["delivery_limit"]


async def test_bad_messages_and_their_senders_are_counted_and_never_quoted(
    fleet_vhost: str, capfd: pytest.CaptureFixture[str]
):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask({**GOOD, "temperature": "CANARY-77"})
        failure = await house.caller.next()
        in_flight = house.worker.supervisor
        await until(lambda: in_flight.running == 0)
    printed = capfd.readouterr()
    assert "CANARY-77" not in failure["message"] + printed.out + printed.err
