"""The queue of dead letters: read without taking anything, or taken from after the broker's word."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq.exceptions import ChannelAccessRefused, ChannelNotFoundEntity

from fleet_cli.connecting import BROKEN, BrokerError, connected
from fleet_cli.dlq.asking_again import asked_again, routing_key_of
from fleet_cli.dlq.letter import Letter, letter_of
from fleet_contracts.topology import REQUESTS, REQUESTS_DEAD

CONNECTION = "fleet dlq"
ANSWER_DEADLINE_S = 15.0
PATIENCE_S = 3.0
PAUSE_S = 0.1


@dataclass(frozen=True, slots=True)
class Held:
    """A dead letter that this command holds; it goes back to its queue unless it is acknowledged."""

    letter: Letter
    message: AbstractIncomingMessage

    async def forget(self) -> None:
        """Take it out of the queue for good."""
        await self.message.ack()


class DeadLetters:
    """The queue, as far as it was filled when this was opened."""

    def __init__(self, channel: AbstractChannel, queue: AbstractQueue) -> None:
        self._channel = channel
        self._queue = queue
        self.count = queue.declaration_result.message_count or 0

    async def held(self, at_least: int = 0) -> AsyncGenerator[Held]:
        """Yield each dead letter, the oldest first; what came after the opening is left for another time.

        Everything stays unacknowledged, so the broker puts it back in its place however the command ends.
        Until `at_least` have come, those are waited for that another reader has just let go.
        """
        came = 0
        while (
            came < max(self.count, at_least)
            and (message := await self._next(PATIENCE_S if came < at_least else 0.0)) is not None
        ):
            came += 1
            yield Held(_letter(message), message)

    async def _next(self, patience_s: float) -> AbstractIncomingMessage | None:
        while (message := await self._queue.get(fail=False, timeout=ANSWER_DEADLINE_S)) is None:
            if patience_s <= 0:
                return None
            patience_s -= PAUSE_S
            await asyncio.sleep(PAUSE_S)  # a broker tells nobody when a message is back in its queue
        return message

    async def redrive(self, held: Held, user_id: str | None) -> None:
        """Publish its request again, and forget it once the broker has confirmed that.

        Raises:
            BrokerError: the broker did not take it; the dead letter stays.
        """
        exchange = await self._channel.get_exchange(REQUESTS, ensure=False)
        again = asked_again(held.letter, held.message.body, uuid4().hex, user_id)
        try:
            await exchange.publish(again, routing_key_of(held.letter), timeout=ANSWER_DEADLINE_S)
        except PublishError as error:
            raise BrokerError("no queue takes requests: run `fleet topology apply` once") from error
        except DeliveryError as error:
            raise BrokerError("the request queue is full: try again when it is shorter") from error
        await held.forget()


@asynccontextmanager
async def dead_letters(url: str) -> AsyncGenerator[DeadLetters]:
    """The dead letters of the broker at `url`.

    Raises:
        BrokerError: they can't be read; what was not forgotten yet stays where it is.
    """
    connection = await connected(url, CONNECTION)
    try:
        async with connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            async with asyncio.timeout(ANSWER_DEADLINE_S):
                queue = await channel.declare_queue(REQUESTS_DEAD, passive=True)
            yield DeadLetters(channel, queue)
    except ChannelNotFoundEntity as error:
        raise BrokerError(f"the broker has no {REQUESTS_DEAD}: run `fleet topology apply` once") from error
    except ChannelAccessRefused as error:
        raise BrokerError(
            f"this user may not do that: let it read {REQUESTS_DEAD}, and write to {REQUESTS} for a redrive; "
            "with --strict it has to be the user that AMQP_URL names"
        ) from error
    except BROKEN as error:
        raise BrokerError(f"the broker broke off ({type(error).__name__}): look into its log") from error


def _letter(message: AbstractIncomingMessage) -> Letter:
    return letter_of(
        message.body,
        message.headers,
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        type_=message.type,
        reply_to=message.reply_to,
    )
