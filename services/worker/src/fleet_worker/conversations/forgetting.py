"""Forgets a tenant's conversations, for operators. One that a turn has at that moment is left."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fleet_chassis.store import Scripts, keys_beginning_with, load_script
from fleet_worker.conversations.store import ANSWER, TURNS, conversations_of

_FORGET = load_script("fleet_worker.conversations", "forget.lua")
IsOpen = Callable[[str], Awaitable[bool]]
"""Whether a request, by its key as text, has not ended yet."""


@dataclass(slots=True)
class ForgottenConversations:
    """How many of each."""

    conversations: int = 0
    answers: int = 0
    taken: int = 0
    """Left: a turn is under way."""
    open_answers: int = 0
    """Left: whoever takes the turn over needs it, or would pay for it again."""


async def forget_conversations(
    store: Scripts, namespace: str, tenant: str, is_open: IsOpen
) -> ForgottenConversations:
    """Forget every conversation of a tenant, and the answers of its turns that were kept for a takeover.

    May be repeated. Raises what the store's methods do.
    """
    forgotten = ForgottenConversations()
    beginning = f"{conversations_of(namespace)}{{{tenant}/"
    async for keys in keys_beginning_with(store, beginning):
        names = [key.decode() for key in keys]
        # No name of a turn ends like the keys of a conversation itself: `~` and a number are its end.
        answers = [name for name in names if not name.endswith(("}", TURNS))]
        records = dict.fromkeys(name.removesuffix(TURNS) for name in names if name.endswith(("}", TURNS)))
        await asyncio.gather(
            *(_forget_conversation(store, record, forgotten) for record in records),
            *(_forget_answer(store, key, is_open, forgotten) for key in answers),
        )
    return forgotten


async def _forget_conversation(store: Scripts, record: str, forgotten: ForgottenConversations) -> None:
    match await store.run(_FORGET, (record, f"{record}{TURNS}"), ()):
        case [b"forgotten", int(count)]:
            forgotten.conversations += count
        case _:
            forgotten.taken += 1


async def _forget_answer(
    store: Scripts, key: str, is_open: IsOpen, forgotten: ForgottenConversations
) -> None:
    if await is_open(key.rpartition(f"}}{ANSWER}")[2]):
        forgotten.open_answers += 1
        return
    count: int = await store.command("UNLINK", key)
    forgotten.answers += count  # not in one line with the await: others count meanwhile
