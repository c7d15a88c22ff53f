"""The ledger's records in the shared store: each step is one script, with the store's own clock.

A request has two keys with one hash tag, so that they lie together in a cluster: `…:request:{<key>}`, a hash
that is the record, and `…:request:{<key>}:body`, the body of its terminal reply, which may be gone earlier.
"""

from collections.abc import Sequence
from typing import Any

from fleet_chassis.store import Scripts, load_script
from fleet_worker.hold import WORKER_LOST
from fleet_worker.ledger.answers import (
    Busy,
    CancelAnswer,
    Claimed,
    Committed,
    Differs,
    Ended,
    Marked,
    Standing,
    Stored,
    Superseded,
    Taken,
    TakenToEnd,
)
from fleet_worker.ledger.fields import facts_from, facts_in, head_in, record_of
from fleet_worker.ledger.record import Claimant, Head, Holder, Owner, Record
from fleet_worker.ledger.rules import MOST_WAITING
from fleet_worker.ledger.times import Times
from fleet_worker.request import RequestKey, key_text

_HERE = "fleet_worker.ledger"
_WAITING = ("waiting.lua",)
_CLAIM = load_script(_HERE, "claim.lua", shared=_WAITING)
_KEEP = load_script(_HERE, "holder.lua", "keep.lua")
_COMMIT = load_script(_HERE, "holder.lua", "commit.lua", shared=_WAITING)
_RELEASE = load_script(_HERE, "holder.lua", "release.lua", shared=_WAITING)
_DISOWN = load_script(_HERE, "disown.lua", shared=_WAITING)
_CANCEL = load_script(_HERE, "cancel.lua")


BODY = ":body"
"""How the key of a terminal reply's body ends, behind its record's."""


def records_of(namespace: str) -> str:
    """What the key of every record begins with; the request's key in braces follows."""
    return f"{namespace}:request:"


class StoreRecords:
    """Records for every worker that shares a store and a namespace."""

    def __init__(self, store: Scripts, namespace: str, times: Times) -> None:
        self._store = store
        self._prefix = records_of(namespace)
        self._times = times

    async def claim(self, key: RequestKey, claimant: Claimant) -> Claimed:
        """As `rules.claim`."""
        dead = claimant.dead or Owner("", 0, 0)
        answer = await self._store.run(
            _CLAIM,
            self._keys(key),
            (
                claimant.owner,
                claimant.identity,
                self._times.lease_ms,
                self._kept_ms,
                claimant.attempts,
                dead.channel,
                dead.fence,
                dead.lease_ends_ms,
                int(claimant.patient),
                int(claimant.forgiving),
                *facts_in(claimant.facts),
                WORKER_LOST if claimant.attempts else "",
                MOST_WAITING,
            ),
        )
        match answer[0]:
            case b"taken":
                fence, attempts, void, vanished, cancelled, superseded = answer[1:]
                flags = (cancelled == b"1", superseded == b"1")
                return Taken(int(fence), int(attempts), void.decode(), int(vanished), *flags)
            case b"busy":
                return Busy(Owner(answer[1].decode(), int(answer[2]), int(answer[3])), int(answer[4]))
            case b"ended":
                return _ended(answer)
            case _:
                return Differs()

    async def keep(self, key: RequestKey, holder: Holder) -> Standing:
        """As `rules.keep`."""
        return _standing(await self._store.run(_KEEP, self._keys(key), self._said(key, holder)))

    async def commit(self, key: RequestKey, holder: Holder, head: Head, body: bytes) -> Committed:
        """As `rules.commit`; tells who waits."""
        kept_ms = round(self._times.body_kept_s(len(body)) * 1000)
        end = (head.kind, head.fleet_id, head.attempt, head.outcome, head.digest, body, kept_ms)
        answer = await self._store.run(_COMMIT, self._keys(key), (*self._said(key, holder), *end))
        match answer[0]:
            case b"stored":
                return Stored()
            case b"ended":
                return _ended(answer)
            case _:
                return Superseded()

    async def release(self, key: RequestKey, holder: Holder) -> Standing:
        """As `rules.release`; tells who waits."""
        return _standing(await self._store.run(_RELEASE, self._keys(key), self._said(key, holder)))

    async def disown(self, key: RequestKey, seen: Owner) -> Standing:
        """As `rules.disown`; tells who waits."""
        record, _ = self._keys(key)
        args = (seen.channel, seen.fence, seen.lease_ends_ms, _free(key))
        return _standing(await self._store.run(_DISOWN, (record,), args))

    async def cancel(self, key: RequestKey, owner: str) -> CancelAnswer:
        """As `rules.cancel`; tells the owner."""
        message = f"cancel {key_text(key)}"
        args = (owner, self._times.lease_ms, self._kept_ms, message)
        answer = await self._store.run(_CANCEL, self._keys(key), args)
        if answer[0] != b"taken":
            return Marked(answer[0].decode())
        fence, identity, attempts, void, *facts = answer[1:]
        return TakenToEnd(int(fence), identity.decode(), facts_from(facts), int(attempts), void.decode())

    async def look(self, key: RequestKey) -> Record | None:
        """What is known of a request."""
        record, body = self._keys(key)
        fields = await self._store.command("HGETALL", record)
        if not fields:
            return None
        return record_of(fields, await self._store.command("GET", body))

    async def want(self, key: RequestKey, channel: str) -> bool:
        """Tell a worker's channel that somebody waits for the request; whether anybody listens there."""
        return int(await self._store.command("PUBLISH", channel, f"wanted {key_text(key)}")) > 0

    @property
    def _kept_ms(self) -> int:
        return round(self._times.kept_s * 1000)

    def _keys(self, key: RequestKey) -> tuple[str, str]:
        # A brace in a correlation ID ends the hash tag early; both keys still share what comes before it.
        record = f"{self._prefix}{{{key_text(key)}}}"
        return record, f"{record}{BODY}"

    def _said(self, key: RequestKey, holder: Holder) -> tuple[Any, ...]:
        trials = [part for number, trial in holder.trials.items() for part in (f"trial:{number}", trial)]
        return (
            holder.owner,
            holder.fence,
            holder.identity,
            holder.attempts,
            holder.void,
            int(holder.restates),
            *facts_in(holder.facts),
            self._times.lease_ms,
            self._kept_ms,
            _free(key),
            holder.attempts_before,
            len(holder.trials),
            *trials,
        )


def _free(key: RequestKey) -> str:
    return f"free {key_text(key)}"


def _standing(answer: bytes) -> Standing:
    return Standing(answer.decode())


def _ended(answer: Sequence[Any]) -> Ended:
    return Ended(head_in(answer[1:6]), answer[6])
