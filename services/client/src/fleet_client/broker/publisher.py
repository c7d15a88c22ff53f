"""Publishes requests, each until the broker confirms it or the call's time is over."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractConnection, AbstractExchange
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError
from aiormq.exceptions import ChannelAccessRefused

from fleet_client.broker.control import Control, is_hopeless
from fleet_client.broker.link import Link, Watch
from fleet_client.broker.trouble import Trouble, as_trouble
from fleet_client.errors import NotDelivered, Unroutable
from fleet_client.request import Request
from fleet_client.trace import publishing
from fleet_client.wire import Posting
from fleet_contracts import headers as names
from fleet_contracts.topology import REQUESTS

_log = logging.getLogger("fleet_client")

_CONFIRM_TIMEOUT_S = 30.0
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class Publisher:
    """The client's connection for requests, apart from the one for replies, so that neither blocks the other.

    Args:
        url: the broker and vhost. Where its user is also a request's tenant, the broker is asked to vouch for
            it (`user_id`).
        reply_to: the queue that replies go to.
        chance: spreads retries.
        now_ms: Unix time in milliseconds.
    """

    def __init__(self, url: str, reply_to: str, chance: random.Random, now_ms: Callable[[], int]) -> None:
        self._link = Link(url, "requests", self._serve, chance)
        self._user = unquote(urlsplit(url).username or "")
        self._reply_to = reply_to
        self._chance = chance
        self._now_ms = now_ms
        self._open: asyncio.Future[tuple[AbstractExchange, Control]] = _to_come()
        self._watch = Watch()
        self._answered_at = 0.0

    async def open(self, timeout_s: float) -> None:
        """Connect.

        Raises:
            BrokerUnreachable: not within `timeout_s` seconds.
        """
        await self._link.open(timeout_s)

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()

    async def publish(self, posting: Posting) -> None:
        """Publish until the broker confirms; every copy has the same correlation ID, so a second is harmless.

        Raises:
            NotDelivered: the posting's time was over first.
            Unroutable: the broker has no place for requests.
        """
        last: Trouble | None = None
        request = posting.request
        try:
            with publishing(request.headers, REQUESTS, request.id, request.routing_key) as headers:
                async with asyncio.timeout_at(posting.until):
                    pause_s = _FIRST_PAUSE_S
                    while last := await self._try_to_publish(posting, headers):
                        await asyncio.sleep(pause_s * self._chance.uniform(0.5, 1.0))
                        pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        except TimeoutError as error:
            raise _not_delivered(request, last or self._link.trouble) from error

    async def cancel(self, request: Request, timeout_s: float) -> None:
        """Publish that nobody wants the answer any more; gives up in silence after `timeout_s` seconds."""
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._try_to_cancel(request):  # noqa: ASYNC110 -- asks the broker each time
                    await asyncio.sleep(_FIRST_PAUSE_S)
        except TimeoutError:
            _log.debug("A cancel was not delivered in time; the request ends at its deadline.")

    async def _try_to_publish(self, posting: Posting, headers: dict[str, Any]) -> Trouble | None:
        exchange, _ = await asyncio.shield(self._open)
        message, watch, now = self._message(posting, headers), self._watch, asyncio.get_running_loop().time
        asked_at = now()
        try:
            with as_trouble():
                async with asyncio.timeout(_CONFIRM_TIMEOUT_S):
                    await exchange.publish(message, posting.request.routing_key, mandatory=True)
        except Trouble as error:
            if not isinstance(error.__cause__, TimeoutError):
                self._answered_at = now()
            elif self._answered_at < asked_at:
                watch.give_up(f"no confirm of anything for {_CONFIRM_TIMEOUT_S:.0f} s")
            _raise_if_unroutable(error, posting.request)
            return error
        self._answered_at = now()
        return None

    async def _try_to_cancel(self, request: Request) -> bool:
        _, control = await asyncio.shield(self._open)
        try:
            await control.cancel(request, self._vouched_for(request))
        except Trouble as error:
            return is_hopeless(error)
        return True

    def _message(self, posting: Posting, headers: dict[str, Any]) -> Message:
        request = posting.request
        return Message(
            request.body,
            # Of each publish: what counts is how long it waits in the queue.
            headers={**headers, names.PUBLISHED_MS: self._now_ms()},
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            type=request.type,
            correlation_id=request.id,
            reply_to=(posting.reply_to or self._reply_to) if posting.wants_replies else None,
            # New for each publish: aiormq tells by it which of several copies the broker returned.
            message_id=posting.message_id(),
            user_id=self._vouched_for(request),
        )

    def _vouched_for(self, request: Request) -> str | None:
        return self._user if self._user == request.tenant else None

    async def _serve(self, connection: AbstractConnection, opened: Callable[[], None]) -> None:
        self._watch = watch = Watch()
        with as_trouble():
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await watch.begin(connection, channel)
            exchange = await channel.get_exchange(REQUESTS, ensure=False)
        self._open.set_result((exchange, Control(connection)))
        opened()
        try:
            await watch.until_gone()
        finally:
            self._open = _to_come()


def _to_come() -> asyncio.Future[tuple[AbstractExchange, Control]]:
    return asyncio.get_running_loop().create_future()


_ADVICE: dict[type[Exception], str] = {
    PublishError: "The broker has no queue for requests. Apply the topology once: fleet topology apply.",
    ChannelNotFoundEntity: f"There is no exchange {REQUESTS}. Apply the topology once: fleet topology apply.",
    ChannelAccessRefused: f"This user may not publish to {REQUESTS}. Give it the right to write there.",
}


def _raise_if_unroutable(error: Trouble, request: Request) -> None:
    for kind, advice in _ADVICE.items():
        if isinstance(error.__cause__, kind):
            raise Unroutable(advice, correlation_id=request.id) from error


def _not_delivered(request: Request, last: Exception | None) -> NotDelivered:
    full = last is not None and isinstance(last.__cause__, DeliveryError)
    why = "its queue is full" if full else f"the last trouble was: {last or 'no answer'}"
    return NotDelivered(
        f"The broker did not confirm the request in the time it had; {why}. Ask again later with the same "
        "id, so that it can't be done twice.",
        correlation_id=request.id,
    )
