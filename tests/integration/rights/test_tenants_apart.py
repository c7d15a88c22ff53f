"""What no right of the broker stops, a strict worker does: one tenant reaches nothing of another's.

Each row of `TRIES` is a request that acme may publish, under the correlation ID and with the very bytes of a
request of billing's that was answered before. Whatever it says of itself, it is acme's: billing hears nothing
of it, and nothing of billing's is told to acme. What keeps something for a tenant adds its rows here.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from aiormq.exceptions import ChannelAccessRefused

from fleet_client import Fleet
from fleet_contracts.topology import CONTROL, DEAD_RAW, REQUESTS, RESULTS, Arguments
from fleet_simulator.config import SimulatorConfig, Timing
from harness.caller import a_caller, a_follower, dead_letters
from harness.strict import ACME, BILLING, StrictVhost, a_strict_worker, until_in

pytestmark = pytest.mark.sockets

PATIENCE_S = 20.0
BODY: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Tell me of the sea"}],
    "thinking": {"type": "disabled"},
}
STREAMED = {**BODY, "stream": True}
SLOW = SimulatorConfig(timing=Timing(headers=0, first_token=0, tokens_per_second=100))
AS_BILLING = {"fleet-tenant": BILLING}
FORGED_DEATH = {"reason": "expired", "queue": "deepseek.requests.resumed", "routing-keys": ["batch.billing"]}


@dataclass(frozen=True)
class Try:
    """What acme publishes, and what becomes of it: `result`, or the code of its dead letter."""

    properties: dict[str, Any] = field(default_factory=dict[str, Any])
    ends: str = "result"
    told: bool = True
    """Whether acme itself hears of it."""


TRIES: dict[str, Try] = {
    "billing's stored answer": Try(),
    "to be billing by a header": Try({"headers": AS_BILLING}),
    "to be billing as a parked request that comes back": Try(
        {"headers": {**AS_BILLING, "fleet-parked-message-id": "m", "fleet-parked-until-ms": 1}}
    ),
    "to be billing by a key that ends in a line break": Try({"key": "interactive.acme\n"}),
    "to be nobody": Try({"user_id": None}, "invalid_request", told=False),
    "to be nobody, with billing's queue": Try(
        {"user_id": None, "reply_to": "theirs", "headers": AS_BILLING}, "invalid_request", told=False
    ),
    "billing's reply queue": Try({"reply_to": "theirs"}, "reply_refused", told=False),
    "a server-named queue, which may be anybody's": Try(
        {"reply_to": "amq.gen-x"}, "reply_refused", told=False
    ),
    "direct reply-to": Try({"reply_to": "amq.rabbitmq.reply-to.x"}, "reply_refused", told=False),
    "a queue of the fleet": Try({"reply_to": "deepseek.requests.batch"}, "reply_refused", told=False),
}


@pytest.mark.parametrize("name", TRIES)
async def test_a_tenant_gets_nothing_of_another_by_asking_for(place: StrictVhost, name: str):
    one = TRIES[name]
    async with (
        a_strict_worker(place) as (_, simulator),
        a_caller(place.as_user(BILLING), BILLING) as billing,
        a_caller(place.as_user(ACME), ACME) as acme,
        a_follower(place.url, "*.billing.#") as follower,
    ):
        asked = await billing.ask(BODY, key="interactive.billing", user_id=BILLING)
        await billing.until_end()
        await follower.next()
        properties = {"user_id": ACME, **one.properties}
        if properties.get("reply_to") == "theirs":
            properties["reply_to"] = billing.reply_to
        await acme.ask(BODY, correlation_id=asked, **properties)
        if one.told:
            end = (await acme.until_end())[-1]
            assert end.get("code", end["kind"]) == one.ends
        if one.ends != "result":
            assert await codes_of_the_dead(place) == [one.ends]
        await acme.silence()
        await billing.silence(0)
        await follower.silence(0)
        calls = simulator.log.events(kind="admitted")
    assert len(calls) == (2 if one.ends == "result" else 1)


async def test_a_conversation_of_the_same_name_is_another_tenants_own(place: StrictVhost):
    named: dict[str, Any] = {"headers": {"fleet-conversation": "support", **AS_BILLING}}
    async with (
        a_strict_worker(place),
        a_caller(place.as_user(BILLING), BILLING) as billing,
        a_caller(place.as_user(ACME), ACME) as acme,
    ):
        await billing.ask(BODY, key="interactive.billing", user_id=BILLING, **named)
        await billing.until_end()
        tokens: list[int] = []
        unnamed: dict[str, Any] = {}
        for properties in (named, unnamed):
            await acme.ask(BODY, user_id=ACME, **properties)
            result = (await acme.until_end())[-1]
            tokens.append(result["response"]["usage"]["prompt_tokens"])
        await billing.silence()
    # With billing's turn before it, the prompt would be longer.
    assert tokens[0] == tokens[1]


async def test_a_forged_past_makes_nobody_else_of_what_dies_in_its_queue(place: StrictVhost):
    forged = {**AS_BILLING, "x-death": [FORGED_DEATH]}
    async with (
        a_caller(place.as_user(ACME), ACME) as acme,
        a_follower(place.url, "*.billing.#") as follower,
    ):
        await acme.ask(BODY, user_id=ACME, headers=forged, expiration=0.01)
        await until_in(place, DEAD_RAW)
        async with a_strict_worker(place):
            assert (await acme.until_end())[-1]["code"] == "deadline_exceeded"
            assert await codes_of_the_dead(place) == ["deadline_exceeded"]
        await follower.silence(0)


async def test_copies_to_other_keys_stay_the_tenants_own(place: StrictVhost):
    # RabbitMQ checks the keys in CC and BCC from 4.0.3 on only, so before, they reach what they name.
    headers = {"CC": ["batch.billing"], "BCC": ["interactive.billing"], **AS_BILLING}
    async with (
        a_strict_worker(place),
        a_caller(place.as_user(ACME), ACME) as acme,
        a_follower(place.url, "*.billing.#") as follower,
    ):
        try:
            await acme.ask(BODY, user_id=ACME, headers=headers)
        except ChannelAccessRefused:
            return
        assert (await acme.until_end())[-1]["kind"] == "result"
        await follower.silence()


async def test_nobody_cancels_what_another_tenant_asked(place: StrictVhost):
    async with (
        a_strict_worker(place, SLOW),
        a_caller(place.as_user(BILLING), BILLING) as billing,
        a_caller(place.as_user(ACME), ACME) as acme,
    ):
        asked = await billing.ask(STREAMED, key="interactive.billing", user_id=BILLING)
        while (await billing.next())["kind"] != "chunk":
            pass
        await acme.cancel(asked, key="cancel.acme", user_id=ACME)
        await acme.cancel(asked, key="cancel.acme", user_id=ACME, headers=AS_BILLING)
        await acme.cancel(asked, key="cancel.acme", headers=AS_BILLING)  # of nobody: a dead letter
        assert await codes_of_the_dead(place) == ["invalid_request"]
        assert (await billing.until_end())[-1]["kind"] == "result"


@pytest.mark.parametrize(
    ("exchange", "key"), [(REQUESTS, "interactive.billing"), (CONTROL, "cancel.billing")]
)
async def test_replies_that_a_queue_turns_into_messages_of_another_tenant_are_put_aside(
    place: StrictVhost, exchange: str, key: str
):
    # No key is checked where a queue passes on what it drops, so acme can send the fleet's own replies so.
    trap = f"deepseek.reply.acme.{uuid4().hex}"
    arguments: Arguments = {
        "x-expires": 60_000,
        "x-message-ttl": 0,
        "x-dead-letter-exchange": exchange,
        "x-dead-letter-routing-key": key,
    }
    async with (
        a_strict_worker(place, SLOW) as (_, simulator),
        a_caller(place.as_user(BILLING), BILLING) as billing,
        a_caller(place.as_user(ACME), ACME) as acme,
        a_follower(place.url, "*.billing.#") as follower,
    ):
        await acme.channel.declare_queue(trap, durable=True, arguments=arguments)
        asked = await billing.ask(STREAMED, key="interactive.billing", user_id=BILLING)
        await acme.ask(BODY, correlation_id=asked, user_id=ACME, reply_to=trap)
        assert await codes_of_the_dead(place) == ["invalid_request"]
        result = (await billing.until_end())[-1]
        await billing.silence()
        copy = await follower.next()
        await follower.silence(0)
        calls = simulator.log.events(kind="admitted")
    assert (result["kind"], copy["id"], len(calls)) == ("result", result["id"], 2)


async def test_results_that_a_tenant_leads_into_the_requests_are_put_aside_once(place: StrictVhost):
    # An exchange and a queue share the name, and one right is for both: so acme may bind that queue.
    patterns = ("result.acme.#", "failure.acme.#")
    async with a_strict_worker(place), a_caller(place.as_user(ACME), ACME) as acme:
        queue = await acme.channel.get_queue(REQUESTS, ensure=False)
        try:
            for pattern in patterns:
                await queue.bind(RESULTS, pattern)
            await acme.ask(BODY, user_id=ACME)
            assert (await acme.until_end())[-1]["kind"] == "result"
            assert await codes_of_the_dead(place) == ["invalid_request"]
            await acme.ask({}, user_id=ACME, reply_to=None)  # so that its refusal goes to the results
            assert await codes_of_the_dead(place, 2) == ["invalid_request"] * 2
            await acme.silence()
        finally:
            for pattern in patterns:
                await queue.unbind(RESULTS, pattern)
    assert await dead_letters(place.url) == []


async def test_each_tenant_follows_its_own_results_alone(place: StrictVhost):
    async with (
        a_strict_worker(place),
        Fleet(place.as_user(ACME), tenant=ACME) as acme,
        Fleet(place.as_user(BILLING), tenant=BILLING) as billing,
    ):
        followed = asyncio.create_task(anext(acme.results("books", pattern="result.acme.#")))
        await until_in(place, "deepseek.reply.acme.results.books", consumers=1)
        await billing.complete("Mine alone", thinking=False)
        await acme.complete("Hello", id="c-acme", thinking=False)
        async with asyncio.timeout(PATIENCE_S):
            assert (await followed).id == "c-acme"


async def codes_of_the_dead(place: StrictVhost, count: int = 1) -> list[Any]:
    """The codes of so many dead letters, which are taken."""
    found: list[Any] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < count:
            found += [letter.headers["fleet-dead-code"] for letter in await dead_letters(place.url)]
            await asyncio.sleep(0.05)
    return found
