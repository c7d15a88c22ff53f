"""Declares what `fleet_contracts.topology` names: the one deploy step."""

import asyncio

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError, ChannelPreconditionFailed

from fleet_chassis.broker import UNREACHED, why_unreached
from fleet_contracts.topology import Binding, Exchange, Queue, Topology, topology

CONNECT_TIMEOUT_S = 8.0
APPLY_TIMEOUT_S = 60.0


class TopologyError(Exception):
    """The topology could not be declared. The text says what to do."""


async def apply(amqp_url: str, parts: Topology | None = None) -> Topology:
    """Declare every exchange, queue and binding; what exists already and is alike is left alone.

    Args:
        amqp_url: the broker and vhost; its user needs the right to configure.
        parts: what to declare; the fleet's whole topology where left out.

    Raises:
        TopologyError: the broker can't be reached, or holds something of the same name with other arguments.
    """
    wanted = parts or topology()
    try:
        async with asyncio.timeout(APPLY_TIMEOUT_S), await _connected(amqp_url) as connection:
            await _declare(await connection.channel(), wanted)
    except ChannelPreconditionFailed as error:
        raise TopologyError(
            f"The broker holds an exchange or queue of the same name with other arguments ({error}). "
            "Drain and delete it, then apply the topology again."
        ) from error
    except (AMQPError, OSError, TimeoutError) as error:
        raise TopologyError(
            f"The topology was not applied, or in part: the broker broke off or refused ({error!r}). Check "
            "that it runs on, and that the user of AMQP_URL may configure, then apply it again."
        ) from error
    return wanted


async def _connected(amqp_url: str) -> AbstractConnection:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await aio_pika.connect(amqp_url)
    except UNREACHED as error:
        raise TopologyError(f"The topology was not applied: {why_unreached(amqp_url, error)}.") from error


async def _declare(channel: AbstractChannel, wanted: Topology) -> None:
    for exchange in wanted.exchanges:
        await _declare_exchange(channel, exchange)
    for queue in wanted.queues:
        await declare_queue(channel, queue)
    for binding in wanted.bindings:
        await _bind(channel, binding)


async def _declare_exchange(channel: AbstractChannel, exchange: Exchange) -> None:
    await channel.declare_exchange(
        exchange.name,
        aio_pika.ExchangeType(exchange.kind),
        durable=True,
        arguments=exchange.arguments,
    )


async def declare_queue(channel: AbstractChannel, queue: Queue) -> None:
    """Declare one durable queue."""
    await channel.declare_queue(queue.name, durable=True, arguments=queue.arguments)


async def _bind(channel: AbstractChannel, binding: Binding) -> None:
    if binding.to_exchange:
        destination = await channel.get_exchange(binding.destination, ensure=False)
        await destination.bind(binding.exchange, binding.key)
    else:
        queue = await channel.get_queue(binding.destination, ensure=False)
        await queue.bind(binding.exchange, binding.key)
