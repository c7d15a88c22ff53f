"""Which account takes a call: by weight among those that can, and the same one for the same conversation."""

import hashlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson

from fleet_worker.accounts.plan import Plan
from fleet_worker.accounts.standings import Standings
from fleet_worker.completion import CompletionError
from fleet_worker.deepseek import Quirks
from fleet_worker.deepseek.errors import unserved, unsupported
from fleet_worker.request import Request

CACHED_FROM_BYTES = 1024
"""DeepSeek caches prompts in units of 256 tokens, so a shorter one is never found in an account's cache.
Source: https://api-docs.deepseek.com/guides/kv_cache"""


@dataclass(frozen=True, slots=True)
class Member:
    """One account that serves a model."""

    account: str
    upstream: str
    weight: float
    place: int
    """Of its upstream in the model's order of preference, from 0."""
    quirks: Quirks


class Roster:
    """The accounts by model, as the plan has them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._quirks: Mapping[str, Quirks] = {
            account.name: plan.upstream_of(account).quirks() for account in plan.accounts
        }

    def serving(self, model: str) -> list[Member]:
        """Who serves a model; nobody where the list is empty."""
        order = self._plan.models.get(model)
        members: list[Member] = []
        for account in self._plan.accounts:
            if order is not None and account.upstream not in order:
                continue
            if not self._plan.upstream_of(account).serves(model):
                continue
            place = 0 if order is None else order.index(account.upstream)
            quirks = self._quirks[account.name]
            members.append(Member(account.name, account.upstream, account.weight, place, quirks))
        return members


class Chooser:
    """Chooses by what this worker knows: the guard of the chosen account has the last word.

    Args:
        roster: Who serves which model.
        standings: Who goes now.
        has_line: Whether calls of this worker already wait for a permit of an account and model.
        chance: Spreads what needs no account of its own.
    """

    def __init__(
        self,
        roster: Roster,
        standings: Standings,
        has_line: Callable[[str, str], bool],
        chance: random.Random,
    ) -> None:
        self._roster = roster
        self._standings = standings
        self._has_line = has_line
        self._chance = chance

    def choose(self, request: Request) -> str:
        """The account to call next.

        Raises:
            CompletionError: no upstream serves the model, or none knows what the request needs.
        """
        members = self._able(request)
        if len(members) == 1:
            return members[0].account
        beginning = _beginning(request)
        return min(members, key=lambda member: self._order(member, request.model, beginning)).account

    def goes_elsewhere(self, request: Request, account: str) -> bool:
        """Whether an account other than this one can take the request now."""
        return any(
            member.account != account and not self._standings.left_s(member.account, request.model)
            for member in self._able(request)
        )

    def _able(self, request: Request) -> Sequence[Member]:
        members = self._roster.serving(request.model)
        if not members:
            raise unserved(request.model)
        able = [member for member in members if member.quirks.lacks(request) is None]
        if not able:
            raise _lacking(members[0], request)
        return able

    def _order(self, member: Member, model: str, beginning: bytes | None) -> tuple[float | bool | int, ...]:
        standings, account = self._standings, member.account
        return (
            # Where nobody goes, the one that will go first.
            standings.left_s(account, model),
            standings.is_doubted(member.upstream, model),
            member.weight == 0,
            self._has_line(account, model),
            member.place,
            self._score(member, beginning),
        )

    def _score(self, member: Member, beginning: bytes | None) -> float:
        """Weighted rendezvous: each account is first as often as its weight says, and the next follows alike.

        Source: https://www.rfc-editor.org/rfc/rfc7432#section-8.5 (highest random weight),
        https://www.snia.org/sites/default/files/SDC15_presentations/dist_sys/Jason_Resch_New_Consistent_Hashings_Rev.pdf
        """
        drawn = self._chance.random() if beginning is None else _drawn(beginning, member.account)
        return -math.log(max(drawn, 1e-12)) / (member.weight or 1)


def _lacking(member: Member, request: Request) -> CompletionError:
    return unsupported(member.quirks.lacks(request) or "what it needs")


def _beginning(request: Request) -> bytes | None:
    """What all turns of one conversation begin with; None where the request is too short for any cache.

    An account's context cache knows only what the same account was sent, and what it knows costs a fraction.
    """
    if len(request.payload) < CACHED_FROM_BYTES:
        return None
    messages = request.body.get("messages")
    if not isinstance(messages, list):
        return str(request.body.get("prompt"))[:CACHED_FROM_BYTES].encode(errors="replace")
    first: list[Any] = []
    for message in cast("list[Any]", messages):
        first.append(message)
        if isinstance(message, dict) and cast("dict[str, Any]", message).get("role") == "user":
            break
    return orjson.dumps(first)


def _drawn(beginning: bytes, account: str) -> float:
    digest = hashlib.blake2b(beginning, digest_size=7, key=account.encode()).digest()
    return int.from_bytes(digest, "big") / 2**56
