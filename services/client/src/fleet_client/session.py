"""One client's time on the wire: publishes requests and hands each reply to the call it belongs to."""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from fleet_client.batch import Batch
from fleet_client.call import Call
from fleet_client.collecting import BatchWish
from fleet_client.errors import FleetClosed, FleetError, Internal, InvalidRequest
from fleet_client.events import Event, Finished, History
from fleet_client.following import Follower, Wish
from fleet_client.line import BatchOutcome, Ready, Refused
from fleet_client.outcome import Outcome
from fleet_client.reading import read
from fleet_client.request import Request
from fleet_client.results import outcomes
from fleet_client.tasks import Tasks
from fleet_client.wire import MakeWire, Posting
from fleet_contracts.grammar import is_tenant

_CANCEL_TIMEOUT_S = 10.0
_LAST_CANCELS_S = 5.0
_MOST_CANCELS = 10_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How a session behaves. Times are in seconds."""

    tenant: str
    connect_timeout_s: float
    grace_s: float
    max_buffered_events: int

    def __post_init__(self) -> None:
        """Refuse, in a sentence, what can't work.

        Raises:
            ValueError: the tenant is malformed.
        """
        if not is_tenant(self.tenant):
            raise ValueError("tenant must be 1 to 64 letters, digits, underscores or hyphens.")


class Session:
    """The calls under way, and the wire that they share.

    Args:
        settings: the bounds.
        chance: random words.
        make_wire: builds the wire.
    """

    def __init__(self, settings: Settings, chance: random.Random, make_wire: MakeWire) -> None:
        self._settings = settings
        self._chance = chance
        self._calls: dict[str, Call] = {}
        self._followers: set[Follower] = set()
        self._asking = Tasks()
        self._cancelling = Tasks()
        self._is_open = False
        self._wire = make_wire(self._take, self._ask_all_again)

    def word(self) -> str:
        """A random word."""
        return f"{self._chance.getrandbits(128):032x}"

    async def open(self) -> None:
        """Connect.

        Raises:
            BrokerUnreachable: not within the time to connect.
        """
        try:
            await self._wire.open(self._settings.connect_timeout_s)
        except BaseException:
            await self.close()
            raise
        self._is_open = True

    async def close(self) -> None:
        """End the calls under way and the followers with `FleetClosed`, and disconnect."""
        self._is_open = False
        for call in self._calls.values():
            call.fail(_closed(call.request.id))
        for follower in self._followers:
            follower.arrivals.end(_closed(None))
        await self._asking.stop()
        await self._cancelling.finish(_LAST_CANCELS_S)
        await self._wire.close()

    async def events(self, request: Request) -> AsyncGenerator[Event]:
        """Publish the request and yield what comes back; the last event is `Finished`.

        A reader that leaves before the end, or whose time is over, has the request cancelled.

        Raises:
            FleetError: the request ended without an answer.
        """
        async with aclosing(self._items(request)) as items:
            async for item in items:
                if not isinstance(item, History):
                    yield item

    async def history(self, request: Request) -> History:
        """Publish a `conversation.v1` and return what it asked for.

        Raises:
            FleetError: there is no answer.
        """
        async with aclosing(self._items(request)) as items:
            async for item in items:
                if isinstance(item, History):
                    return item
        raise Internal("The call ended without a word.", correlation_id=request.id)

    async def _items(self, request: Request) -> AsyncGenerator[Event | History]:
        call = self._begin(request)
        try:
            self._ask(call)
            while not isinstance(event := await call.next(), Finished | History):
                yield event
        finally:
            del self._calls[request.id]
            call.end()
            if call.is_wanted_no_more:
                self._cancel(request)
        yield event

    async def submit(self, request: Request, timeout_s: float) -> None:
        """Publish the request without waiting for its end, which comes to `deepseek.results` alone.

        Raises:
            NotDelivered: it was not confirmed within `timeout_s` seconds.
        """
        if not self._is_open:
            raise _closed(request.id)
        until = asyncio.get_running_loop().time() + timeout_s
        await self._wire.publish(Posting(request, until, self.word, wants_replies=False))

    async def outcomes(self, wish: Wish) -> AsyncGenerator[Outcome]:
        """Follow `deepseek.results`; an outcome is acknowledged when the next one is asked for.

        Raises:
            FleetError: the queue could not be opened, or the session was closed.
        """
        wish.check()
        if not self._is_open:
            raise _closed(None)
        follower = self._wire.follow(wish)
        self._followers.add(follower)
        try:
            await follower.open(self._settings.connect_timeout_s)
            async with aclosing(outcomes(follower)) as found:
                async for outcome in found:
                    yield outcome
        finally:
            self._followers.discard(follower)
            await follower.close()

    async def batch(
        self, wish: BatchWish, lines: AsyncGenerator[Ready | Refused]
    ) -> AsyncGenerator[BatchOutcome]:
        """Ask the lines of a batch; an outcome is acknowledged when the next one is asked for.

        Raises:
            FleetError: the batch can't be opened or sent, or the session was closed.
        """
        wish.check()
        if not self._is_open:
            raise _closed(None)
        batch = Batch(self._wire, wish, self.word)
        self._followers.add(batch.collector)
        try:
            async with (
                aclosing(lines),
                aclosing(batch.outcomes(lines, self._settings.connect_timeout_s)) as found,
            ):
                async for outcome in found:
                    yield outcome
        finally:
            self._followers.discard(batch.collector)

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
        posting = Posting(call.request, call.deadline, call.next_message_id)
        task = self._asking.start(self._wire.publish(posting), partial(_fail, call))
        call.on_end(task.cancel)

    def _ask_all_again(self) -> None:
        # Replies sent while the queue was gone are lost; the fleet repeats the stored ones to who asks again.
        for call in self._calls.values():
            self._ask(call)

    def _cancel(self, request: Request) -> None:
        # Best effort and in the background: whoever leaves must not wait for it.
        if self._is_open and len(self._cancelling) < _MOST_CANCELS:
            self._cancelling.start(self._wire.cancel(request, _CANCEL_TIMEOUT_S), _ignore)

    def _take(self, correlation_id: str | None, body: bytes) -> None:
        call = self._calls.get(correlation_id or "")
        received = read(body) if call is not None else None
        if call is not None and received is not None:
            call.take(received)


def _ignore(_: BaseException) -> None:
    """The request ends at its own deadline then."""


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


def _closed(correlation_id: str | None) -> FleetClosed:
    return FleetClosed(
        "The Fleet is closed, so no reply can arrive through it. Ask inside `async with Fleet(...)`; the "
        "same id brings the answer of a request that was already published.",
        correlation_id=correlation_id,
    )
