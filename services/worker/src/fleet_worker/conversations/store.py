"""Histories in the shared store: each step is one script, with the store's own clock.

A conversation's keys have one hash tag, so that they lie together in a cluster, on whichever node: nothing
here touches the ledger's keys. `…:conversation:{<name>}`, a hash, is its record; `…:turns`, a list, its
turns; `…:answer:<turn>`, a string, the terminal reply of a turn that may not have been committed yet.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from fleet_chassis.store import Script, Scripts, load_script
from fleet_worker.conversations.histories import (
    ANSWER_KEPT_S,
    EMPTY_KEPT_S,
    MOST_WAITING,
    Addition,
    Answered,
    Appended,
    Busy,
    Claim,
    Differs,
    Keeping,
    Lost,
    TakeAnswer,
    Taken,
    name_of,
)
from fleet_worker.conversations.history import History, entry_of, said_in
from fleet_worker.request import ConversationKey

_HERE = "fleet_worker.conversations"
_WAITING = ("waiting.lua",)
_TAKE = load_script(_HERE, "take.lua", shared=_WAITING)
_KEEP = load_script(_HERE, "holder.lua", "keep.lua", shared=_WAITING)
_RELEASE = load_script(_HERE, "holder.lua", "release.lua", shared=_WAITING)
_APPEND = load_script(_HERE, "holder.lua", "append.lua", shared=_WAITING)
_CLEAR = load_script(_HERE, "holder.lua", "clear.lua", shared=_WAITING)
_LOOK = load_script(_HERE, "look.lua")


TURNS, ANSWER = ":turns", ":answer:"
"""What follows a record's key in the keys of its turns, and of the answer of a turn."""


def conversations_of(namespace: str) -> str:
    """What every key of a conversation begins with; its name in braces follows."""
    return f"{namespace}:conversation:"


class StoreHistories:
    """Histories for every worker that shares a store and a namespace."""

    def __init__(self, store: Scripts, namespace: str, keeping: Keeping) -> None:
        self._store = store
        self._prefix = conversations_of(namespace)
        self._keeping = keeping

    async def take(self, key: ConversationKey, claim: Claim) -> TakeAnswer:
        """As `Histories.take`."""
        args = (
            claim.turn,
            claim.fence,
            self._lease_ms,
            self._kept_ms,
            claim.channel,
            MOST_WAITING,
            "" if claim.continues is None else claim.continues,
        )
        answer = await self._store.run(_TAKE, self._keys(key, claim.turn), args)
        match answer[0]:
            case b"taken":
                return Taken(_history(answer[1:]))
            case b"busy":
                return Busy(int(answer[1]))
            case b"differs":
                return Differs(int(answer[1]))
            case b"answered":
                return Answered(answer[1] if len(answer) > 1 else None)
            case _:
                return Lost()

    async def keep(self, key: ConversationKey, claim: Claim) -> bool:
        """As `Histories.keep`."""
        return await self._held(_KEEP, key, claim, self._lease_ms) == b"held"

    async def release(self, key: ConversationKey, claim: Claim) -> None:
        """As `Histories.release`."""
        await self._held(_RELEASE, key, claim, _ms(min(EMPTY_KEPT_S, self._keeping.kept_s)))

    async def append(self, key: ConversationKey, claim: Claim, addition: Addition) -> Appended:
        """As `Histories.append`."""
        new = entry_of(addition.said)
        answer = await self._append(key, claim, addition, 0, [new])
        if answer == b"gone":
            all_of_them = [*map(entry_of, addition.history.turns), new]
            answer = await self._append(key, claim, addition, 1, all_of_them)
        return Appended(answer.decode())

    async def clear(self, key: ConversationKey, claim: Claim, version: int, answer: bytes) -> Appended:
        """As `Histories.clear`."""
        said = await self._held(_CLEAR, key, claim, self._kept_ms, version, answer, _ms(ANSWER_KEPT_S))
        return Appended(said.decode())

    async def answer(self, key: ConversationKey, turn: str) -> bytes | None:
        """As `Histories.answer`."""
        return await self._store.command("GET", self._keys(key, turn)[2])

    async def forget_answer(self, key: ConversationKey, turn: str) -> None:
        """As `Histories.forget_answer`."""
        await self._store.command("DEL", self._keys(key, turn)[2])

    async def look(self, key: ConversationKey) -> History:
        """As `Histories.look`."""
        return _history(await self._store.run(_LOOK, self._keys(key, "")[:2], ()))

    async def _append(
        self, key: ConversationKey, claim: Claim, addition: Addition, anew: int, entries: list[bytes]
    ) -> bytes:
        return await self._held(
            _APPEND,
            key,
            claim,
            self._kept_ms,
            addition.history.version,
            self._keeping.most_bytes,
            addition.first,
            orjson.dumps(addition.system),
            addition.answer,
            _ms(ANSWER_KEPT_S),
            anew,
            *entries,
        )

    async def _held(self, script: Script, key: ConversationKey, claim: Claim, *args: Any) -> bytes:
        said = (claim.turn, claim.fence, f"turn {name_of(key)}", *args)
        return await self._store.run(script, self._keys(key, claim.turn), said)

    @property
    def _kept_ms(self) -> int:
        return _ms(self._keeping.kept_s)

    @property
    def _lease_ms(self) -> int:
        return _ms(self._keeping.lease_s)

    def _keys(self, key: ConversationKey, turn: str) -> tuple[str, str, str]:
        # A brace in a name ends the hash tag early; all keys still share what comes before it.
        record = f"{self._prefix}{{{name_of(key)}}}"
        return record, f"{record}{TURNS}", f"{record}{ANSWER}{turn}"


def _history(told: Sequence[Any]) -> History:
    version, first, system, entries = told
    return History(
        int(version),
        int(first),
        orjson.loads(system) if system else [],
        [said_in(entry) for entry in entries],
    )


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
