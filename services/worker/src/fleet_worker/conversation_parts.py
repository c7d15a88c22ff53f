"""Builds the worker's conversations: in the store that workers share, or in its own memory."""

import secrets
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry

from fleet_chassis.clock import Clock
from fleet_chassis.logging import get_log
from fleet_chassis.tasks import owned
from fleet_worker.conversations.asking import Asking
from fleet_worker.conversations.histories import Keeping
from fleet_worker.conversations.home import Home
from fleet_worker.conversations.line import Line
from fleet_worker.conversations.memory import MemoryHistories
from fleet_worker.conversations.observing import ConversationObserver
from fleet_worker.conversations.store import StoreHistories
from fleet_worker.conversations.tokens import TokenCounter
from fleet_worker.conversations.turns import FleetConversations
from fleet_worker.settings import WorkerSettings
from fleet_worker.shared_store import SharedStore

_SHARE = 4


async def open_conversations(
    settings: WorkerSettings,
    clock: Clock,
    registry: CollectorRegistry,
    store: SharedStore | None,
    parts: AsyncExitStack,
) -> FleetConversations:
    """The conversations of all who share `store`; what is opened is closed with `parts`."""
    log = get_log("conversations")
    observer = ConversationObserver(registry, log)
    keeping = Keeping(kept_s=settings.conversation_kept_s, most_bytes=settings.conversation_bytes)
    # Whoever waits here keeps a place in which a call could run.
    line = Line(most=max(1, settings.concurrency // _SHARE))
    channel = f"{settings.namespace}:turns:{secrets.token_hex(8)}"
    home = Home(
        histories=MemoryHistories(keeping, clock, line.hear)
        if store is None
        else StoreHistories(store, settings.namespace, keeping),
        asking=Asking(settings.conversation_trim, settings.conversation_tokens, TokenCounter(log), observer),
        line=line,
        channel=channel,
        trust=NeverAway() if store is None else store,
        clock=clock,
        observer=observer,
    )
    conversations = FleetConversations(home)
    if store is not None:
        await store.listen(channel, line.hear)
        await parts.enter_async_context(owned(conversations.run(), log))
    return conversations


class NeverAway:
    """Memory never fails, and ends with its process."""

    async def back(self) -> None:
        """It is never away."""
