"""Those who ask: publish until it is confirmed, ask again, cancel, and read their own queue."""

from dataclasses import dataclass, field
from typing import Any

import orjson

from fleet_contracts import headers as names
from fleet_contracts.grammar import CANCEL_TYPE, OnBreak
from fleet_contracts.topology import CONTROL, REQUESTS
from simulation.broker import Broker, Message
from simulation.upstream import MODEL
from simulation.world import BEGAN_MS, World

CONFIRM_WITHIN_S = 3.0
TENANT = "acme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, and what its caller does about it."""

    cid: str
    at_s: float
    stream: bool = True
    own_queue: bool = True
    on_break: OnBreak = OnBreak.RESTART
    waiting: bool = False
    within_s: float | None = None
    """Its deadline, from its first publish."""
    cancel_at_s: float | None = None
    again_at_s: tuple[float, ...] = ()
    """When it is published once more."""
    differs_at_s: float | None = None
    """When another request comes under the same correlation ID."""
    expires_s: float | None = None
    """How long it may wait in its queue."""
    conversation: str | None = None
    lane: str = "interactive"

    @property
    def reply_to(self) -> str | None:
        """Where its replies go."""
        return f"deepseek.reply.{TENANT}.{self.cid}" if self.own_queue else None


@dataclass(eq=False, slots=True)
class Caller:
    """Asks one request.

    What reaches its queue is read at once: what a reader sees is the order in which the queue took it.
    """

    world: World
    broker: Broker
    ask: Ask
    confirmed_at: float | None = None
    received: list[Message] = field(default_factory=list[Message])
    publishes: int = 0
    still_asks: int = 0

    def begin(self) -> None:
        """Do everything when its time has come."""
        ask = self.ask
        if ask.reply_to is not None:
            self.broker.declare(ask.reply_to)
        for moment in (ask.at_s, *ask.again_at_s):
            self.world.at(moment, self._publish)
            self.still_asks += 1
        for moment, do in ((ask.cancel_at_s, self._cancel), (ask.differs_at_s, self._publish_another)):
            if moment is not None:
                self.world.at(moment, do)
                self.still_asks += 1

    def _publish(self) -> None:
        """One publish; where its confirm is lost, another one."""
        self._sent(self._message(), self._publish)

    def _publish_another(self) -> None:
        self._sent(self._message(temperature=0.5), self._publish_another)

    def _cancel(self) -> None:
        cancel = Message(
            body=b"{}",
            exchange=CONTROL,
            routing_key=f"cancel.{TENANT}",
            type=CANCEL_TYPE,
            correlation_id=self.ask.cid,
            reply_to=None,
            headers={},
            message_id=f"{self.ask.cid}-cancel",
            published_ms=round(self.world.now_ms()),
        )
        self._sent(cancel, self._cancel)

    def _sent(self, message: Message, again: Any) -> None:
        chance = self.world.chance
        lost_there, lost_back = chance.random() < 0.03, chance.random() < 0.05
        taken = self.broker.up and not lost_there and self.broker.publish(message)
        if taken:
            self.world.note("caller", "publishes", f"{message.correlation_id} {message.type or ''}")
        if taken and not lost_back:
            self.still_asks -= 1
            if message.type != CANCEL_TYPE and self.confirmed_at is None:
                self.confirmed_at = self.world.loop.time()
        else:
            self.world.later(CONFIRM_WITHIN_S, again)

    def _message(self, **more: Any) -> Message:
        ask = self.ask
        self.publishes += 1
        headers: dict[str, Any] = {names.ON_BREAK: str(ask.on_break)}
        if ask.conversation is not None:
            headers[names.CONVERSATION] = ask.conversation
        if ask.waiting:
            headers[names.WAITING] = True
        if ask.within_s is not None:
            headers[names.DEADLINE_MS] = round(BEGAN_MS + (ask.at_s + ask.within_s) * 1000)
        body: dict[str, Any] = {
            "model": MODEL,
            "messages": [{"role": "user", "content": ask.cid}],
            "stream": ask.stream,
        }
        body |= more
        return Message(
            body=orjson.dumps(body),
            exchange=REQUESTS,
            routing_key=f"{ask.lane}.{TENANT}",
            type=None,
            correlation_id=ask.cid,
            reply_to=ask.reply_to,
            headers=headers,
            expires_s=ask.expires_s,
            message_id=f"{ask.cid}-{self.publishes}",
            published_ms=round(self.world.now_ms()),
        )
