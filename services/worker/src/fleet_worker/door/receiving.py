"""A message of the broker, as the rest of the worker may know it."""

from aio_pika.abc import AbstractIncomingMessage

from fleet_contracts import headers as names
from fleet_worker.delivery import Delivery
from fleet_worker.hold import DeliveryLease


def delivery_of(message: AbstractIncomingMessage, queue: str, lease: DeliveryLease) -> Delivery:
    """What the rest of the worker may know of a message."""
    return Delivery(
        body=message.body,
        queue=queue,
        exchange=message.exchange or "",
        routing_key=message.routing_key or "",
        headers=message.headers,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        type=message.type,
        message_id=message.message_id,
        user_id=message.user_id,
        content_encoding=message.content_encoding,
        published_ms=_published_ms(message),
        lease=lease,
    )


def _published_ms(message: AbstractIncomingMessage) -> int | None:
    # In ms, by the caller or by RabbitMQ's timestamp interceptor; the property of AMQP counts whole seconds.
    precise = message.headers.get(names.PUBLISHED_MS)
    if isinstance(precise, int):
        return precise
    return None if message.timestamp is None else round(message.timestamp.timestamp() * 1000)
