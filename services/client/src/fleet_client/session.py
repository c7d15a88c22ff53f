"""One client's time on the broker: publishes requests and hands each reply to the call it belongs to."""

import asyncio
import random
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from fleet_client.broker.publisher import Publisher
from fleet_client.broker.replies import Replies
from fleet_client.call import Call
from fleet_client.errors import FleetClosed, FleetError, Internal, InvalidRequest
from fleet_client.events import Event, Finished
from fleet_client.reading import read
from fleet_client.request import Request
from fleet_client.tasks import Tasks
from fleet_contracts.grammar import is_tenant
from fleet_contracts.topology import Queue, reply_queue


@dataclass(frozen=True, slots=True)
class Settings:
    """How a session behaves. Times are in seconds."""

    url: str
    tenant: str
    connect_timeout_s: float
    grace_s: float
    max_buffered_events: int

    def __post_init__(self) -> None:
        """Refuse, in a sentence, what can't work.

        Raises:
            ValueError: the URL or the tenant is malformed.
        """
        if not _is_amqp(self.url):
            raise ValueError("url must look like amqp://user:password@host:5672/vhost (or amqps://...).")
        if not is_tenant(self.tenant):
            raise ValueError("tenant must be 1 to 64 letters, digits, underscores or hyphens.")


class Session:
    """Two connections, one reply queue, and the calls under way.

    Args:
        settings: where the broker is, and the bounds.
        chance: random words and jitter.
    """

    def __init__(self, settings: Settings, chance: random.Random) -> None:
        self._settings = settings
        self._chance = chance
        self._calls: dict[str, Call] = {}
        self._asking = Tasks()
        self._is_open = False
        self.queue: Queue = reply_queue(settings.tenant, self.word())
        self._replies = Replies(settings.url, self.queue, self._take, self._ask_all_again, chance)
        self._publisher = Publisher(settings.url, settings.tenant, self.queue.name, chance)

    def word(self) -> str:
        """A random word."""
        return f"{self._chance.getrandbits(128):032x}"

    async def open(self) -> None:
        """Connect and declare the reply queue.

        Raises:
            BrokerUnreachable: not within the time to connect.
        """
        try:
            await self._replies.open(self._settings.connect_timeout_s)
            await self._publisher.open(self._settings.connect_timeout_s)
        except BaseException:
            await self.close()
            raise
        self._is_open = True

    async def close(self) -> None:
        """End the calls under way with `FleetClosed`, delete the reply queue, disconnect."""
        self._is_open = False
        for call in self._calls.values():
            call.fail(_closed(call.request.id))
        await self._asking.stop()
        await self._publisher.close()
        await self._replies.close()

    async def events(self, request: Request) -> AsyncGenerator[Event]:
        """Publish the request and yield what comes back; the last event is `Finished`.

        Raises:
            FleetError: the request ended without an answer.
        """
        call = self._begin(request)
        try:
            self._ask(call)
            while not isinstance(event := await call.next(), Finished):
                yield event
        finally:
            del self._calls[request.id]
            call.end()
        yield event

    def _begin(self, request: Request) -> Call:
        if not self._is_open:
            raise _closed(request.id)
        if request.id in self._calls:
            raise InvalidRequest(
                "A call with this id is under way in this Fleet. Await that one, or use another id.",
                correlation_id=request.id,
            )
        call = self._calls[request.id] = Call(
            request,
            now=asyncio.get_running_loop().time(),
            grace_s=self._settings.grace_s,
            capacity=self._settings.max_buffered_events,
            word=self.word,
        )
        return call

    def _ask(self, call: Call) -> None:
        task = self._asking.start(self._publisher.publish(call), partial(_fail, call))
        call.on_end(task.cancel)

    def _ask_all_again(self) -> None:
        # Replies sent while the queue was gone are lost; the fleet repeats the stored ones to who asks again.
        for call in self._calls.values():
            self._ask(call)

    def _take(self, correlation_id: str | None, body: bytes) -> None:
        call = self._calls.get(correlation_id or "")
        received = read(body) if call is not None else None
        if call is not None and received is not None:
            call.take(received)


def _is_amqp(url: str) -> bool:
    try:
        where = urlsplit(url)
        return where.scheme in {"amqp", "amqps"} and bool(where.hostname) and where.port != 0
    except ValueError:
        return False


def _fail(call: Call, error: BaseException) -> None:
    if isinstance(error, FleetError):
        call.fail(error)
        return
    unexpected = Internal(
        f"The client failed to publish the request ({type(error).__name__}). This is a defect of "
        "deepseek-fleet-client; please report it.",
        correlation_id=call.request.id,
    )
    unexpected.__cause__ = error
    call.fail(unexpected)


def _closed(correlation_id: str) -> FleetClosed:
    return FleetClosed(
        "The Fleet is closed, so no reply can arrive through it. Ask inside `async with Fleet(...)`; the "
        "same id brings the answer of a request that was already published.",
        correlation_id=correlation_id,
    )
