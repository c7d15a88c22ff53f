"""Writes what is followed to standard output, and what was missed to standard error."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from aio_pika.abc import AbstractIncomingMessage

from fleet_chassis.clock import Clock
from fleet_cli.console import complain, say
from fleet_cli.tail.following import Following, Gap, Heard, follow
from fleet_cli.tail.line import seen


@dataclass(frozen=True, slots=True)
class Wish:
    """How the replies are to be shown, and after how many to end (0: never)."""

    as_json: bool = False
    content: bool = False
    count: int = 0


async def follow_and_show(url: str, patterns: Sequence[str], wish: Wish, clock: Clock) -> None:
    """Show one line for each reply until `wish.count` of them were shown.

    Raises:
        BrokerError: there is nothing to follow.
    """
    await show(follow(url, patterns), wish, clock)


async def show(replies: AsyncGenerator[Heard], wish: Wish, clock: Clock) -> None:
    """Show these replies, and say where some are missing."""
    shown = 0
    async with aclosing(replies):
        async for heard in replies:
            match heard:
                case Gap(reason):
                    complain(f"{reason}: some replies are left out here")
                case Following():
                    complain("following; Ctrl-C ends it")
                case _:
                    _show_one(heard, wish, clock)
                    shown += 1
            if wish.count and shown == wish.count:
                return


def _show_one(message: AbstractIncomingMessage, wish: Wish, clock: Clock) -> None:
    at = datetime.fromtimestamp(clock.now_ms() / 1000, tz=UTC)
    reply = seen(at, message.routing_key or "", message.correlation_id, message.body)
    if wish.as_json:
        say(orjson.dumps(reply.fields(content=wish.content)).decode())
    else:
        say(reply.line(content=wish.content))
