"""The wire of a fake fleet: what is published is answered by the script, in this very event loop."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import Any, NoReturn

import orjson

from fleet_client.collecting import BatchWish, Collector
from fleet_client.errors import FleetError
from fleet_client.following import Follower, Wish
from fleet_client.request import Request
from fleet_client.tasks import Tasks
from fleet_client.testing.conversations import Kept
from fleet_client.testing.memory import Key, Memory, key_of
from fleet_client.testing.queues import MemoryReader
from fleet_client.testing.recorded import asked_from
from fleet_client.testing.replies import beginning_of, end_of, history_of, refusal_of, replies_before
from fleet_client.testing.script import Fails, Says, Silence
from fleet_client.wire import Posting, Take
from fleet_contracts import ConversationAction, ErrorCode, RequestType
from fleet_contracts.grammar import results_key


class MemoryWire:
    """One session of a fake fleet.

    Args:
        memory: the fleet.
        take: gets each reply.
    """

    def __init__(self, memory: Memory, take: Take) -> None:
        self._memory = memory
        self._take = take
        self._working = Tasks()
        self._under_way: dict[Key, asyncio.Task[None]] = {}

    async def open(self, timeout_s: float) -> None:
        """Nothing to connect to."""
        del timeout_s

    async def close(self) -> None:
        """End what is under way."""
        await self._working.stop()

    async def publish(self, posting: Posting) -> None:
        """Take the request on, as a broker that confirms at once.

        Raises:
            FleetError: the script says so.
        """
        request, message_id = posting.request, posting.message_id()
        kept = self._memory.kept(request)
        if kept is not None:
            end = kept.end if kept.body == request.body else refusal_of(request, message_id)
            self._start(request, self._send(posting, [end]))
            return
        if request.type is RequestType.CONVERSATION:
            self._start(request, self._serve(posting))
            return
        asked = asked_from(request, wants_replies=posting.wants_replies)
        self._memory.asked.append(asked)
        reply = await self._memory.reply_to(asked)
        if isinstance(reply, FleetError):
            raise reply
        self._start(request, self._work(posting, reply))

    async def cancel(self, request: Request, timeout_s: float) -> None:
        """Remember the cancel, and let a request that has not ended end as cancelled."""
        del timeout_s
        self._memory.cancelled.append(request.id)
        if self._memory.kept(request) is None:
            working = self._under_way.get(key_of(request))
            if working is not None:
                working.cancel()
            self._end(request, end_of(request, Fails(ErrorCode.CANCELLED)))

    def follow(self, wish: Wish) -> Follower:
        """A reader of the results in memory."""
        return MemoryReader(
            self._memory.exchange,
            f"{wish.tenant}.results.{wish.name}",
            wish.prefetch,
            max_messages=wish.max_messages,
            patterns=wish.patterns,
        )

    def collect(self, wish: BatchWish, on_lost: Callable[[], None]) -> Collector:
        """The only reader of a batch's replies in memory."""
        del on_lost  # a queue in memory is never lost
        return MemoryReader(self._memory.exchange, wish.queue.name, wish.prefetch, alone=True)

    def _start(self, request: Request, work: Coroutine[Any, Any, None]) -> None:
        key = key_of(request)
        task = self._under_way[key] = self._working.start(work, _raise)
        task.add_done_callback(lambda _: self._under_way.pop(key, None))

    async def _work(self, posting: Posting, reply: Says | Fails | Silence) -> None:
        conversation = self._memory.conversations.of(posting.request)
        if conversation is None:
            await self._say(posting, reply, None)
            return
        async with conversation.turn:
            await self._say(posting, conversation.refuses(posting.request) or reply, conversation)

    async def _say(self, posting: Posting, reply: Says | Fails | Silence, conversation: Kept | None) -> None:
        request = posting.request
        if isinstance(reply, Silence):
            await self._send(posting, beginning_of(request, reply))
            if conversation is not None:
                await asyncio.Event().wait()  # its turn is under way until it is cancelled
            return
        await self._send(posting, replies_before(request, reply))
        if conversation is not None and isinstance(reply, Says):
            conversation.append(orjson.loads(request.body), reply)
        end = end_of(request, reply, None if conversation is None else conversation.place)
        self._end(request, end)
        await self._send(posting, [end])

    async def _serve(self, posting: Posting) -> None:
        request = posting.request
        conversation = self._memory.conversations.of(request) or Kept("")
        clears = orjson.loads(request.body)["action"] == ConversationAction.CLEAR
        async with conversation.turn if clears else nullcontext():
            refused = conversation.refuses(request)
            if clears and refused is None:
                conversation.clear()
            said = [*conversation.system, *conversation.messages]
            end = end_of(request, refused) if refused else history_of(request, conversation.place, said)
            self._end(request, end)
        await self._send(posting, [end])

    def _end(self, request: Request, end: bytes) -> None:
        self._memory.keep(request, end)
        self._copy(request, end)

    async def _send(self, posting: Posting, replies: list[bytes]) -> None:
        for reply in replies if posting.wants_replies else ():
            # One turn of the loop for each, so that a reader sees them come.
            await asyncio.sleep(0)
            if posting.reply_to is None:
                self._take(posting.request.id, reply)
            else:
                self._memory.exchange.reply(posting.reply_to, posting.request.id, reply)

    def _copy(self, request: Request, reply: bytes) -> None:
        model = str(orjson.loads(request.body).get("model", ""))
        kind = str(orjson.loads(reply)["kind"])
        self._memory.exchange.publish(request.id, results_key(kind, request.tenant, model), reply)


def _raise(error: BaseException) -> NoReturn:
    raise error
