"""Conversations to test with."""

from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from fleet_chassis.clock import Clock
from fleet_worker.conversation_parts import NeverAway
from fleet_worker.conversations.asking import Asking, Trim
from fleet_worker.conversations.histories import Addition, Claim, Keeping
from fleet_worker.conversations.history import History, Message, Said
from fleet_worker.conversations.home import Home
from fleet_worker.conversations.line import Line
from fleet_worker.conversations.memory import MemoryHistories
from fleet_worker.conversations.observing import ConversationObserver
from fleet_worker.conversations.tokens import TokenCounter
from fleet_worker.conversations.turns import FleetConversations


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def assistant(text: str, **fields: Any) -> Message:
    return {"role": "assistant", "content": text, **fields}


def tool(call_id: str, text: str = "found") -> Message:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def a_call(call_id: str) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "look", "arguments": "{}"}}


def calls(*ids: str, **fields: Any) -> Message:
    return assistant("", tool_calls=[a_call(one) for one in ids], **fields)


def an_addition(history: History, said: Said, answer: bytes = b"{}", **changes: Any) -> Addition:
    fields: dict[str, Any] = {"system": history.system, "first": history.first}
    return Addition(history=history, said=said, answer=answer, **{**fields, **changes})


def a_claim(turn: str = "acme/t-1~0", fence: int = 1, continues: int | None = None) -> Claim:
    return Claim(turn, fence, "fleet:turns:a", continues)


def in_memory_conversations(
    clock: Clock, trim: Trim = "oldest_turns", most_tokens: int | None = None, **keeping: Any
) -> FleetConversations:
    """The conversations of a worker that shares nothing."""
    log = structlog.get_logger()
    observer = ConversationObserver(CollectorRegistry(), log)
    line = Line(most=10)
    return FleetConversations(
        Home(
            histories=MemoryHistories(Keeping(**keeping), clock, line.hear),
            asking=Asking(trim, most_tokens, TokenCounter(log), observer),
            line=line,
            channel="fleet:turns:a",
            trust=NeverAway(),
            clock=clock,
            observer=observer,
        )
    )
