"""Publishes cancels, on a channel apart: one that is refused closes its channel, and no request with it."""

import asyncio

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.exceptions import ChannelAccessRefused

from fleet_client.broker.trouble import Trouble, as_trouble
from fleet_client.request import Request
from fleet_contracts.grammar import routing_word
from fleet_contracts.topology import CONTROL

_TYPE = "cancel.v1"
_HOPELESS = (ChannelNotFoundEntity, ChannelAccessRefused)


class Control:
    """The exchange `deepseek.control` on one connection."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def cancel(self, request: Request, user_id: str | None) -> None:
        """Publish that nobody wants the answer to `request`.

        Raises:
            Trouble: the broker did not confirm it.
        """
        message = Message(
            b"{}",
            headers=request.identity_headers,
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            type=_TYPE,
            correlation_id=request.id,
            user_id=user_id,
        )
        with as_trouble():
            exchange = await (await self._opened()).get_exchange(CONTROL, ensure=False)
            # Not mandatory: where no worker listens there is nobody to stop.
            await exchange.publish(message, f"cancel.{routing_word(request.tenant)}", mandatory=False)

    async def _opened(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._connection.channel(publisher_confirms=True)
            return self._channel


def is_hopeless(trouble: Trouble) -> bool:
    """Whether trying again can't help: the exchange is missing, or this user may not write to it."""
    return isinstance(trouble.__cause__, _HOPELESS)
