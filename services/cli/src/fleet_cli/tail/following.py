"""Follows `deepseek.results`: a bounded copy for one reader, anew after each lost connection."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity

from fleet_cli.connecting import BROKEN, BrokerError, connected
from fleet_contracts.topology import RESULTS, TAIL_PREFIX, Arguments

CONNECTION = "fleet tail"
HELD_MESSAGES = 1000
HELD_BYTES = 64 * 1024 * 1024
PREFETCH = 100
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Gap:
    """Some replies are left out before what comes next; `reason` says why."""

    reason: str


class Following:
    """From here on every reply is heard."""


Heard = AbstractIncomingMessage | Following | Gap
Ears = asyncio.Queue[AbstractIncomingMessage | None]


async def follow(url: str, patterns: Sequence[str]) -> AsyncGenerator[Heard]:
    """Yield every reply whose routing key fits one of `patterns`, for as long as it is read.

    A slow reader loses the oldest ones and is told so; the broker and the fleet never wait for it. A lost
    connection is made anew until it stands.

    Raises:
        BrokerError: there is no connection to begin with, or nothing there to follow.
    """
    pause_s, stood = FIRST_PAUSE_S, False
    while True:
        try:
            async with _listening(url, patterns) as ears:
                pause_s, stood = FIRST_PAUSE_S, True
                yield Following()
                async with aclosing(_heard(ears)) as heard:
                    async for one in heard:
                        yield one
            yield Gap("the connection to the broker was lost and is made anew")
        except BrokerError:
            if not stood:
                raise
        await asyncio.sleep(pause_s)
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


@asynccontextmanager
async def _listening(url: str, patterns: Sequence[str]) -> AsyncGenerator[Ears]:
    """What arrives over one connection; None where it is lost."""
    connection = await connected(url, CONNECTION)
    # Bounded by the prefetch: what is not taken from here is not acknowledged.
    ears: Ears = asyncio.Queue()
    try:
        async with asyncio.timeout(LONGEST_PAUSE_S):
            await _consume(connection, patterns, ears)
        yield ears
    except ChannelNotFoundEntity as error:
        raise BrokerError(f"the broker has no {RESULTS}: run `fleet topology apply` once") from error
    except ChannelAccessRefused as error:
        raise BrokerError(
            f"this user may not follow {RESULTS}: let it read that exchange, and configure, write and read "
            f"queues and exchanges whose names start with {TAIL_PREFIX}"
        ) from error
    except BROKEN as error:
        raise BrokerError(f"the broker broke off ({type(error).__name__}): look into its log") from error
    finally:
        await _close(connection)


async def _consume(connection: AbstractConnection, patterns: Sequence[str], ears: Ears) -> None:
    channel = await connection.channel()
    await channel.set_qos(PREFETCH)
    dropped, queue = await _declare(channel, patterns)
    behind = await connection.channel()
    # One notice at a time: until it is read, further ones fall out of their queue of one place.
    await behind.set_qos(1)

    def end(*_: object) -> None:
        ears.put_nowait(None)

    for each in (connection, channel, behind):
        each.close_callbacks.add(end)
    await (await behind.get_queue(dropped.name, ensure=False)).consume(ears.put)
    await queue.consume(ears.put)


async def _declare(channel: AbstractChannel, patterns: Sequence[str]) -> tuple[AbstractQueue, AbstractQueue]:
    """A queue of notices about what was dropped, and the queue of replies that drops into it.

    It drops through an exchange of its own: the default one would be the right to write to every queue.
    """
    name = f"{TAIL_PREFIX}{uuid4().hex}"
    dropping = await channel.declare_exchange(f"{name}.dropped", ExchangeType.FANOUT, auto_delete=True)
    dropped = await channel.declare_queue(
        f"{name}.dropped", exclusive=True, arguments={"x-max-length": 1, "x-overflow": "drop-head"}
    )
    await dropped.bind(dropping)
    arguments: Arguments = {
        "x-max-length": HELD_MESSAGES,
        "x-max-length-bytes": HELD_BYTES,
        "x-overflow": "drop-head",
        "x-dead-letter-exchange": dropping.name,
    }
    queue = await channel.declare_queue(name, exclusive=True, arguments=arguments)
    for pattern in patterns:
        await queue.bind(RESULTS, pattern)
    return dropped, queue


async def _heard(ears: Ears) -> AsyncGenerator[Heard]:
    while (message := await ears.get()) is not None:
        is_notice = (message.exchange or "").startswith(TAIL_PREFIX)
        yield Gap("this reader fell behind") if is_notice else message
        try:
            await message.ack()
        except (*BROKEN, RuntimeError):
            return


async def _close(connection: AbstractConnection) -> None:
    try:
        async with asyncio.timeout(FIRST_PAUSE_S):
            await connection.close()
    except BROKEN:
        return
