"""What each user of the broker may do, and how each tries to do more: the rights of the fleet, as a table.

`OWN` is what the programs live on. `BREAK_OUTS` is everything else that a stolen password would be tried for:
the broker refuses every row, on every RabbitMQ from 3.10 on. The last tests try what rights alone don't stop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aio_pika
import aiohttp
import pytest
from aio_pika.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused, ChannelPreconditionFailed
from anyio.from_thread import start_blocking_portal

from harness.strict import ACME, ADMIN, AUTOSCALER, BILLING, OPERATOR, WORKER, StrictVhost

pytestmark = pytest.mark.sockets

MINE, THEIRS = "deepseek.reply.acme.1", "deepseek.reply.billing.1"
ANOTHER = "deepseek.reply.acme.2"
LANES = ("deepseek.requests", "deepseek.requests.batch", "deepseek.requests.resumed")
RUNG, DEAD_LETTERS, RAW = "deepseek.retry.5", "deepseek.requests.dead", "deepseek.dead.raw"


@dataclass(frozen=True)
class Declare:
    """A queue of this name."""

    queue: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])

    async def __call__(self, channel: AbstractChannel) -> None:
        arguments = {"x-expires": 60_000, **self.arguments}
        await channel.declare_queue(self.queue, durable=True, arguments=arguments)


@dataclass(frozen=True)
class DeclareExchange:
    exchange: str

    async def __call__(self, channel: AbstractChannel) -> None:
        await channel.declare_exchange(self.exchange, aio_pika.ExchangeType.FANOUT, auto_delete=True)


@dataclass(frozen=True)
class Delete:
    queue: str

    async def __call__(self, channel: AbstractChannel) -> None:
        await channel.queue_delete(self.queue)


@dataclass(frozen=True)
class DeleteExchange:
    exchange: str

    async def __call__(self, channel: AbstractChannel) -> None:
        await channel.exchange_delete(self.exchange)


@dataclass(frozen=True)
class Purge:
    queue: str

    async def __call__(self, channel: AbstractChannel) -> None:
        await (await channel.get_queue(self.queue, ensure=False)).purge()


@dataclass(frozen=True)
class Publish:
    """With this routing key, and as this user where one is named."""

    exchange: str
    key: str = ""
    user_id: str | None = None

    async def __call__(self, channel: AbstractChannel) -> None:
        exchange = await channel.get_exchange(self.exchange, ensure=False)
        if not self.exchange:
            exchange = channel.default_exchange
        message = aio_pika.Message(b"", user_id=self.user_id)
        await exchange.publish(message, self.key, mandatory=False)


@dataclass(frozen=True)
class Bind:
    queue: str
    exchange: str
    key: str = ""

    async def __call__(self, channel: AbstractChannel) -> None:
        await (await channel.get_queue(self.queue, ensure=False)).bind(self.exchange, self.key)


@dataclass(frozen=True)
class BindExchange:
    """Messages of `source` go to `exchange` as well."""

    exchange: str
    source: str
    key: str = ""

    async def __call__(self, channel: AbstractChannel) -> None:
        await (await channel.get_exchange(self.exchange, ensure=False)).bind(self.source, self.key)


@dataclass(frozen=True)
class Unbind:
    queue: str
    exchange: str
    key: str = ""

    async def __call__(self, channel: AbstractChannel) -> None:
        await (await channel.get_queue(self.queue, ensure=False)).unbind(self.exchange, self.key)


@dataclass(frozen=True)
class Consume:
    queue: str

    async def __call__(self, channel: AbstractChannel) -> None:
        await (await channel.get_queue(self.queue, ensure=False)).consume(_ignore)


@dataclass(frozen=True)
class Get:
    queue: str

    async def __call__(self, channel: AbstractChannel) -> None:
        await (await channel.get_queue(self.queue, ensure=False)).get(fail=False)


Deed = (
    Declare | DeclareExchange | Delete | DeleteExchange | Purge | Publish | Bind | BindExchange | Unbind
    | Consume | Get
)  # fmt: skip

OWN: dict[str, tuple[Deed, ...]] = {
    ADMIN: (
        Declare("deepseek.requests.interactive.acme"),
        Bind("deepseek.requests.interactive.acme", "deepseek.requests", "interactive.acme"),
        Delete("deepseek.requests.interactive.acme"),
    ),
    WORKER: (
        *(Consume(queue) for queue in (*LANES, RAW, "deepseek.control.cancels")),
        Publish("", MINE),
        Publish("deepseek.results", "result.acme.deepseek-flash"),
        Publish("deepseek.results", "chunk.acme.deepseek-flash"),
        Publish(RUNG),
        Publish("deepseek.dead", "record"),
    ),
    OPERATOR: (
        Get(DEAD_LETTERS),
        Publish("deepseek.requests", "batch.billing", user_id=OPERATOR),
        Declare("deepseek.tail.1"),
        Bind("deepseek.tail.1", "deepseek.results", "#"),
        Delete("deepseek.tail.1"),
    ),
    ACME: (
        Declare(ANOTHER),
        Consume(ANOTHER),
        Publish("deepseek.requests", "interactive.acme", user_id=ACME),
        Publish("deepseek.requests", "batch.acme", user_id=ACME),
        Publish("deepseek.control", "cancel.acme", user_id=ACME),
        Bind(ANOTHER, "deepseek.results", "result.acme.#"),
        Bind(ANOTHER, "deepseek.results", "failure.acme.*"),
        Delete(ANOTHER),
    ),
}

BREAK_OUTS: dict[str, tuple[Deed, ...]] = {
    # A backend: another tenant's name is in everything that it must not reach.
    ACME: (
        # requests as somebody else
        Publish("deepseek.requests", "interactive.billing"),
        Publish("deepseek.requests", "interactive.acme.billing"),
        Publish("deepseek.requests", "interactive.acmebilling"),
        Publish("deepseek.requests", "x.interactive.acme"),
        Publish("deepseek.requests", ""),
        Publish("deepseek.requests", "interactive.acme", user_id=BILLING),
        Publish("deepseek.requests", "interactive.acme", user_id=OPERATOR),
        # around the exchange, to the queues behind it
        Publish("", "deepseek.requests"),
        Publish("", "deepseek.requests.resumed"),
        Publish("deepseek.requests.default", "batch.acme"),
        Publish("deepseek.requests.unknown"),
        Publish("deepseek.requests.resumed"),
        Publish(RUNG),
        # requests of others, taken or thrown away
        *(Consume(queue) for queue in (*LANES, RUNG, RAW, DEAD_LETTERS)),
        Get("deepseek.requests"),
        Purge("deepseek.requests"),
        Delete("deepseek.requests"),
        DeleteExchange("deepseek.requests"),
        Unbind("deepseek.requests", "deepseek.requests.unknown"),
        Bind(MINE, "deepseek.requests", "#"),
        Bind(MINE, "deepseek.requests", ""),
        BindExchange("deepseek.results", "deepseek.requests", "#"),
        # replies to others
        Declare(THEIRS),
        Declare("deepseek.reply.acme"),
        Declare("deepseek.reply.acmebilling.1"),
        Declare("anything"),
        Consume(THEIRS),
        Get(THEIRS),
        Purge(THEIRS),
        Delete(THEIRS),
        Publish("", THEIRS),
        Publish("", MINE),
        Bind(MINE, "deepseek.results", "#"),
        Bind(MINE, "deepseek.results", "result.#"),
        Bind(MINE, "deepseek.results", "*.*.*"),
        Bind(MINE, "deepseek.results", "result.*.deepseek-flash"),
        Bind(MINE, "deepseek.results", "result.billing.#"),
        Bind(MINE, "deepseek.results", "*.acme.#"),
        Bind(MINE, "deepseek.results.unheard"),
        Bind(THEIRS, "deepseek.results", "result.acme.#"),
        Consume("deepseek.results.unheard"),
        # answers forged for others
        Publish("deepseek.results", "result.billing.deepseek-flash"),
        Publish("deepseek.results", "result.acme.deepseek-flash"),
        Declare("deepseek.reply.acme.dlx", {"x-dead-letter-exchange": ""}),
        Declare("deepseek.reply.acme.dlx", {"x-dead-letter-exchange": "deepseek.results"}),
        Declare("deepseek.reply.acme.dlx", {"x-dead-letter-exchange": "deepseek.requests.resumed"}),
        Declare("deepseek.reply.acme.dlx", {"x-dead-letter-exchange": "deepseek.dead"}),
        # cancels of others
        Publish("deepseek.control", "cancel.billing"),
        Publish("deepseek.control", "cancel.acme", user_id=BILLING),
        Publish("deepseek.control", "operator.pause"),
        Publish("", "deepseek.control.cancels"),
        Consume("deepseek.control.cancels"),
        # what belongs to operators and programs
        Publish("deepseek.dead", "record"),
        Publish("deepseek.dead", "raw"),
        Declare("deepseek.tail.1"),
        Declare("deepseek.worker.unshared"),
        DeclareExchange("deepseek.mine"),
        Publish("amq.topic", "x"),
        Publish("amq.fanout"),
        Bind(MINE, "amq.topic", "#"),
    ),
    # A worker: it changes no queue, asks nothing, and reads nobody's replies.
    WORKER: (
        Declare("deepseek.requests.interactive.acme"),
        Declare(MINE),
        Declare("anything"),
        Delete("deepseek.requests"),
        Delete(MINE),
        DeleteExchange("deepseek.results"),
        Publish("deepseek.requests", "interactive.acme"),
        Publish("deepseek.requests.default", "batch.acme"),
        Publish("deepseek.control", "cancel.acme"),
        Publish("deepseek.results", "anything"),
        Publish("deepseek.results", ""),
        Publish("amq.topic", "x"),
        *(Consume(queue) for queue in (MINE, RUNG, DEAD_LETTERS, "deepseek.results.unheard")),
        Purge(MINE),
        Purge(DEAD_LETTERS),
        Bind("deepseek.requests", "deepseek.results", "#"),
        Bind("deepseek.requests.resumed", "deepseek.requests", "#"),
        Unbind("deepseek.requests", "deepseek.requests.unknown"),
    ),
    # An operator: reads dead letters and results, asks again; changes nothing, and takes nobody's requests.
    OPERATOR: (
        Declare("deepseek.requests.interactive.acme"),
        Declare(MINE),
        Delete("deepseek.requests"),
        Delete(DEAD_LETTERS),
        DeleteExchange("deepseek.requests"),
        *(Consume(queue) for queue in (*LANES, RUNG, RAW, MINE, "deepseek.control.cancels")),
        *(Purge(queue) for queue in (*LANES, MINE)),
        Publish("deepseek.requests", "nonsense"),
        Publish("deepseek.requests", ""),
        Publish("deepseek.requests", "interactive.acme", user_id=ACME),
        Publish("", "deepseek.requests"),
        Publish("", MINE),
        Publish("deepseek.control", "cancel.acme"),
        Publish("deepseek.results", "result.acme.deepseek-flash"),
        Publish("deepseek.dead", "record"),
        Publish(RUNG),
        Bind(MINE, "deepseek.results", "#"),
        Bind("deepseek.tail.1", "deepseek.requests", "#"),
        Declare("deepseek.tail.dlx", {"x-dead-letter-exchange": ""}),
    ),
    # The deploy step: it may change the fleet's own queues, and neither ask nor see an answer.
    ADMIN: (
        Declare(MINE),
        Declare("anything"),
        Consume(MINE),
        Purge(MINE),
        Delete(MINE),
        Publish("", "deepseek.requests"),
        Publish("", MINE),
        Publish("deepseek.requests", "interactive.acme"),
        Publish("deepseek.requests", ""),
        Publish("deepseek.control", "cancel.acme"),
        Publish("deepseek.results", "result.acme.deepseek-flash"),
        Bind("deepseek.requests.batch", "deepseek.results", "#"),
        Bind("deepseek.requests.batch", "deepseek.control", "#"),
        Bind("deepseek.requests.batch", "amq.topic", "#"),
    ),
    # What counts requests: nothing at all over AMQP.
    AUTOSCALER: (
        Declare("anything"),
        Declare(""),
        *(Consume(queue) for queue in (*LANES, DEAD_LETTERS, MINE)),
        Purge("deepseek.requests"),
        Delete("deepseek.requests"),
        Publish("", "deepseek.requests"),
        Publish("deepseek.requests", "interactive.acme"),
        Publish("deepseek.requests", ""),
        Publish("deepseek.control", "cancel.acme"),
        Bind("deepseek.requests", "deepseek.results", "#"),
    ),
}


@pytest.fixture(scope="module")
def queues(place: StrictVhost) -> StrictVhost:
    """Both tenants have a reply queue."""
    for tenant, queue in ((ACME, MINE), (BILLING, THEIRS)):
        with start_blocking_portal() as portal:
            portal.call(_done, place.as_user(tenant), Declare(queue, {"x-expires": 3_600_000}))
    return place


def rows(table: Mapping[str, tuple[Deed, ...]]) -> list[Any]:
    return [pytest.param(user, deed, id=f"{user}: {deed}") for user, deeds in table.items() for deed in deeds]


@pytest.mark.parametrize("user", OWN)
async def test_a_user_may_do_what_its_programs_live_on(queues: StrictVhost, user: str):
    await _done(queues.as_user(user), *OWN[user])


@pytest.mark.parametrize(("user", "deed"), rows(BREAK_OUTS))
async def test_a_user_may_do_nothing_more(queues: StrictVhost, user: str, deed: Deed):
    with pytest.raises((ChannelAccessRefused, ChannelPreconditionFailed)) as refused:
        await _done(queues.as_user(user), deed)
    # A user_id that is not the login's is no question of rights, and refused under another number.
    spoofed = isinstance(deed, Publish) and deed.user_id is not None
    assert isinstance(refused.value, ChannelPreconditionFailed) == spoofed


async def test_an_autoscaler_sees_how_many_requests_wait_and_touches_none(place: StrictVhost):
    queue = f"{place.management_as(AUTOSCALER)}/api/queues/{place.name}/deepseek.requests"
    asked = {"count": 1, "ackmode": "ack_requeue_false", "encoding": "auto"}
    async with aiohttp.ClientSession() as http:
        async with http.get(queue) as seen:
            assert (seen.status, (await seen.json())["name"]) == (200, "deepseek.requests")
        async with http.delete(f"{queue}/contents") as purged, http.delete(queue) as deleted:
            assert {purged.status, deleted.status} <= {400, 401, 403}
        async with http.post(f"{queue}/get", json=asked) as taken:
            assert taken.status in {400, 401, 403}


@pytest.mark.parametrize("user", [ACME, WORKER, ADMIN])
async def test_whoever_needs_no_management_api_is_not_let_in(place: StrictVhost, user: str):
    async with aiohttp.ClientSession() as http, http.get(f"{place.management_as(user)}/api/queues") as seen:
        assert seen.status in {401, 403}


async def _ignore(_: object) -> None:
    """Take it."""


async def _done(url: str, *deeds: Deed) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=False)
        for deed in deeds:
            await deed(channel)
