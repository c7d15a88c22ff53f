"""Publishes requests, each until the broker confirms it or the call's time is over."""

import asyncio
import random
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError
from aiormq.exceptions import ChannelAccessRefused

from fleet_client.broker.link import Link, Watch
from fleet_client.broker.trouble import Trouble, as_trouble
from fleet_client.call import Call
from fleet_client.errors import NotDelivered, Unroutable
from fleet_contracts.topology import REQUESTS

_CONFIRM_TIMEOUT_S = 30.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class Publisher:
    """The client's connection for requests, apart from the one for replies, so that neither blocks the other.

    Args:
        url: the broker and vhost.
        tenant: who asks. Where it is also the URL's user, the broker is asked to vouch for it (`user_id`).
        reply_to: the queue that replies go to.
        chance: spreads retries.
    """

    def __init__(self, url: str, tenant: str, reply_to: str, chance: random.Random) -> None:
        self._link = Link(url, "requests", self._serve, chance)
        self._user_id = tenant if unquote(urlsplit(url).username or "") == tenant else None
        self._reply_to = reply_to
        self._chance = chance
        self._exchange: asyncio.Future[AbstractExchange] = asyncio.get_running_loop().create_future()

    async def open(self, timeout_s: float) -> None:
        """Connect.

        Raises:
            BrokerUnreachable: not within `timeout_s` seconds.
        """
        await self._link.open(timeout_s)

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()

    async def publish(self, call: Call) -> None:
        """Publish until the broker confirms; every copy has the same correlation ID, so a second is harmless.

        Raises:
            NotDelivered: the call's time was over first.
            Unroutable: the broker has no place for requests.
        """
        last: Trouble | None = None
        try:
            async with asyncio.timeout_at(call.deadline):
                pause_s = _FIRST_PAUSE_S
                while last := await self._try_to_publish(call):
                    await asyncio.sleep(pause_s * self._chance.uniform(0.5, 1.0))
                    pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        except TimeoutError as error:
            raise _not_delivered(call, last or self._link.trouble) from error

    async def _try_to_publish(self, call: Call) -> Trouble | None:
        exchange = await asyncio.shield(self._exchange)
        try:
            with as_trouble():
                async with asyncio.timeout(_CONFIRM_TIMEOUT_S):
                    await exchange.publish(self._message(call), call.request.routing_key, mandatory=True)
        except Trouble as error:
            _raise_if_unroutable(error, call)
            return error
        return None

    def _message(self, call: Call) -> Message:
        request = call.request
        return Message(
            request.body,
            headers=request.headers,
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            type=request.type,
            correlation_id=request.id,
            reply_to=self._reply_to,
            # New for each publish: aiormq tells by it which of several copies the broker returned.
            message_id=call.next_message_id(),
            user_id=self._user_id,
        )

    async def _serve(self, connection: AbstractConnection, opened: Callable[[], None]) -> None:
        watch = Watch()
        with as_trouble():
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await watch.begin(connection, channel)
            exchange = await channel.get_exchange(REQUESTS, ensure=False)
        self._exchange.set_result(exchange)
        opened()
        try:
            await watch.until_gone()
        finally:
            self._exchange = asyncio.get_running_loop().create_future()


_ADVICE: dict[type[Exception], str] = {
    PublishError: "The broker has no queue for requests. Apply the topology once: fleet topology apply.",
    ChannelNotFoundEntity: f"There is no exchange {REQUESTS}. Apply the topology once: fleet topology apply.",
    ChannelAccessRefused: f"This user may not publish to {REQUESTS}. Give it the right to write there.",
}


def _raise_if_unroutable(error: Trouble, call: Call) -> None:
    for kind, advice in _ADVICE.items():
        if isinstance(error.__cause__, kind):
            raise Unroutable(advice, correlation_id=call.request.id) from error


def _not_delivered(call: Call, last: Exception | None) -> NotDelivered:
    full = last is not None and isinstance(last.__cause__, DeliveryError)
    why = "its queue is full" if full else f"the last trouble was: {last or 'no answer'}"
    return NotDelivered(
        f"The broker did not confirm the request within {call.request.timeout_s:g} s; {why}. Ask again later "
        "with the same id, so that it can't be done twice.",
        correlation_id=call.request.id,
    )
