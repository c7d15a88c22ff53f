"""More of what senders put into messages, all to one worker, which answers a good request after each."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fleet_simulator.answers import expected_text
from harness.caller import dead_letters, until_buried
from harness.house import a_house

pytestmark = pytest.mark.sockets

GOOD: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Still there?"}],
    "thinking": {"type": "disabled"},
}
ALMOST_TOO_LARGE = int(7.9 * 1024 * 1024)

BAD: dict[str, dict[str, Any]] = {
    "an empty correlation ID": {"correlation_id": ""},
    "a line separator in the correlation ID": {"correlation_id": "a\u2028b"},
    "a deadline that is no whole number": {"headers": {"fleet-deadline-ms": 1.5}},
    "a deadline that is a date": {"headers": {"fleet-deadline-ms": datetime(2030, 1, 1, tzinfo=UTC)}},
    "a deadline that is true": {"headers": {"fleet-deadline-ms": True}},
    "a deadline before 1970": {"headers": {"fleet-deadline-ms": -1}},
    "a retry below zero": {"headers": {"fleet-retry": -1}},
    "a tenant of 65 letters": {"headers": {"fleet-tenant": "x" * 65}},
    "an empty tenant": {"headers": {"fleet-tenant": ""}},
    "a tenant with a line break at its end": {"headers": {"fleet-tenant": "acme\n"}},
    "a waiting that is no boolean": {"headers": {"fleet-waiting": "yes"}},
    "a word for breaks that nobody knows": {"headers": {"fleet-on-break": "explode"}},
    "a list for breaks": {"headers": {"fleet-on-break": ["restart"]}},
    "a cancel where requests go": {"type": "cancel.v1"},
    "a reply where requests go": {"type": "result.v1"},
}
STRANGE: dict[str, dict[str, Any]] = {
    "a date in the year 9999": {"timestamp": datetime(9999, 12, 31, tzinfo=UTC)},
    "a date at the beginning of time": {"timestamp": datetime(1970, 1, 1, tzinfo=UTC)},
    "a deadline in a far future": {"headers": {"fleet-deadline-ms": 2**62}},
    "a retry beyond any count": {"headers": {"fleet-retry": 2**62}},
    "a date that an interceptor might have set": {"headers": {"timestamp_in_ms": "yesterday"}},
    "an expiration of seven weeks": {"expiration": 4_200_000},
    "a message ID with a line break": {"message_id": "a\r\nb"},
    "headers of the fleet's own replies": {"headers": {"fleet-id": "c:final", "fleet-attempt": 7}},
    "headers of a parked request": {"headers": {"fleet-parked-until-ms": 2**62, "fleet-parked-reason": []}},
    "headers of a dead letter": {"headers": {"fleet-dead-code": "internal", "fleet-dead-at-ms": {}}},
    "an encoding in capitals": {"content_encoding": "UTF-8"},
    "an app and a cluster": {"app_id": "\u202e" * 20},
}
BODIES: dict[str, dict[str, Any]] = {
    "text of both directions, controls and emoji": {
        "messages": [{"role": "user", "content": "\u202eabc\u2066\u0000\u0007\x1b[2J\U0001f3f4\u200d\ufeff"}]
    },
    "almost 8 MiB": {"padding": "x" * ALMOST_TOO_LARGE},
    "unknown fields": {"\r\n": [], "": None, "__proto__": {"a": 1}, "x" * 10_000: 1.5},
}


async def test_each_bad_message_is_buried_once_and_the_next_good_request_is_served(fleet_vhost: str):
    wrong: dict[str, Any] = {}
    async with a_house(fleet_vhost) as house:
        for name, properties in BAD.items():
            await house.caller.ask(GOOD, **properties)
            if "correlation_id" not in properties:
                failure = await house.caller.next()
                if failure.get("code") != "invalid_request":
                    wrong[name] = failure
            good = await house.caller.ask(GOOD)
            end = (await house.caller.until_end())[-1]
            assert (name, end["kind"], end["correlation_id"]) == (name, "result", good)
            codes = [letter.headers["fleet-dead-code"] for letter in await until_buried(house.url)]
            if codes != ["invalid_request"]:
                wrong[name] = codes
        await house.caller.silence()
        calls = house.simulator.log.events(kind="admitted")
    assert (wrong, len(calls)) == ({}, len(BAD))


# aiohttp advises files for bodies above 1 MiB; at most 8 MiB are handed to the socket's buffer here.
@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
async def test_what_is_only_strange_is_answered_like_any_other(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        for name, properties in STRANGE.items():
            asked = await house.caller.ask(GOOD, **properties)
            end = (await house.caller.until_end())[-1]
            assert (name, end["kind"], end["correlation_id"]) == (name, "result", asked)
        for name, changes in BODIES.items():
            body = {**GOOD, **changes}
            await house.caller.ask(body)
            end = (await house.caller.until_end())[-1]
            assert (name, end["kind"]) == (name, "result"), end
            assert end["response"]["choices"][0]["message"]["content"] == expected_text(body)[1]
        await house.caller.silence()
        assert await dead_letters(house.url) == []


async def test_a_deadline_that_has_passed_costs_no_call(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        await house.caller.ask(GOOD, headers={"fleet-deadline-ms": 1})
        assert (await house.caller.until_end())[-1]["code"] == "deadline_exceeded"
        await house.caller.ask(GOOD)
        assert (await house.caller.until_end())[-1]["kind"] == "result"
        assert len(house.simulator.log.events(kind="admitted")) == 1
