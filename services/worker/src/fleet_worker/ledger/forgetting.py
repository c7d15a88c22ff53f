"""Forgets what the ledger keeps of a tenant's requests, for operators; what has not ended is left."""

import asyncio
from dataclasses import dataclass

from fleet_chassis.store import Scripts, keys_beginning_with, load_script
from fleet_worker.ledger.store import BODY, records_of

_FORGET = load_script("fleet_worker.ledger", "forget.lua")


@dataclass(slots=True)
class ForgottenRequests:
    """How many of each."""

    records: int = 0
    bodies: int = 0
    claimed: int = 0
    """Left: a worker has them in hand."""
    waiting: int = 0
    """Left: they wait in a queue, or were cancelled before they came."""


async def forget_requests(store: Scripts, namespace: str, tenant: str) -> ForgottenRequests:
    """Forget every request of a tenant that has ended: who asks again under its ID is answered anew.

    May be repeated. Each request is one atomic step, so that one that ends meanwhile is forgotten or left
    whole. Raises what the store's methods do.
    """
    forgotten = ForgottenRequests()
    async for keys in keys_beginning_with(store, f"{records_of(namespace)}{{{tenant}/"):
        records = dict.fromkeys(key.decode().removesuffix(BODY) for key in keys)
        for answer in await asyncio.gather(
            *(store.run(_FORGET, (record, f"{record}{BODY}"), ()) for record in records)
        ):
            _count(forgotten, answer)
    return forgotten


async def has_not_ended(store: Scripts, namespace: str, request: str) -> bool:
    """Whether a request, by its key as text, is known and has no terminal reply yet."""
    record = f"{records_of(namespace)}{{{request}}}"
    known, ended = await asyncio.gather(
        store.command("EXISTS", record), store.command("HEXISTS", record, "digest")
    )
    return bool(known) and not ended


def _count(forgotten: ForgottenRequests, answer: list[bytes | int]) -> None:
    match answer:
        case [b"forgotten", int(records), int(bodies)]:
            forgotten.records += records
            forgotten.bodies += bodies
        case [b"claimed"]:
            forgotten.claimed += 1
        case _:
            forgotten.waiting += 1
