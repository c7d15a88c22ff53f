"""Whether the shared store can be reached, and keeps what the fleet entrusts to it."""

import re
from collections.abc import Mapping
from typing import Any

from fleet_chassis.clock import Clock
from fleet_chassis.settings import SettingsError
from fleet_chassis.store import RedisStore, StoreScriptError, StoreUnavailableError, open_store
from fleet_cli.doctor.check import Check, failed, fine, skipped, warning
from fleet_cli.stack.errors import StackError
from fleet_cli.stack.store.asking import label_of
from fleet_cli.stack.store.installation import LEAST_MAJOR
from fleet_cli.stack.store.place import place_of

ANSWER_DEADLINE_S = 8.0
MOST_SKEW_S = 1.0
NEVER_EVICTS = "noeviction"
BEHIND_THE_STORE = ("store memory", "store disk", "store clock")
MAJOR = re.compile(r" (\d+)\.")

Told = dict[str, Any]
"""What INFO says, by name."""


async def check_store(variables: Mapping[str, str], clock: Clock) -> list[Check]:
    """The checks of the store, of its memory, its disk and its clock; without a store, what that means."""
    url = variables.get("REDIS_URL")
    if not url:
        meaning = "it keeps limits and answers in its own memory, and forgets them when it ends"
        return [fine("store", f"none (REDIS_URL is not set): at most one worker may run, and {meaning}")]
    try:
        place = place_of(url)
    except StackError as wrong:
        return [failed("store", str(wrong)), *_not_asked("the store could not be asked")]
    try:
        return await _ask_store(url, place, clock)
    except SettingsError as wrong:
        return [failed("store", str(wrong)), *_not_asked("the store could not be asked")]
    except StoreUnavailableError as unreachable:
        return [failed("store", f"{place}: {unreachable}"), *_not_asked("the store could not be asked")]
    except StoreScriptError as refused:
        advice = "let its user run INFO, TIME, scripts and PUBLISH"
        return [failed("store", f"{place}: {refused}", advice), *_not_asked("its user may not ask")]


async def _ask_store(url: str, place: str, clock: Clock) -> list[Check]:
    began = clock.monotonic()
    async with open_store(url, ANSWER_DEADLINE_S, clock) as store:
        elapsed_ms = round((clock.monotonic() - began) * 1000)
        told: Told = {}
        for section in ("server", "replication", "memory", "persistence"):
            told |= await store.command("INFO", section)
        return [serves(told, place, elapsed_ms), keeps(told), persists(told), await _clock(store, clock)]


def serves(told: Told, place: str, elapsed_ms: int) -> Check:
    """It answered, is new enough, and takes writes."""
    label = label_of(told)
    major = MAJOR.search(label)
    if major is not None and int(major.group(1)) < LEAST_MAJOR:
        return failed("store", f"{label} at {place} is too old", "use Redis 7 or Valkey 8, or newer")
    if told.get("role") not in {None, "master"}:
        return failed("store", f"{label} at {place} is a replica and takes no writes", "name its primary")
    return fine("store", f"{label} at {place}, in {elapsed_ms} ms")


def keeps(told: Told) -> Check:
    """A full store refuses writes, rather than forget who is at work on what."""
    policy = told.get("maxmemory_policy", "")
    if not policy:
        return skipped("store memory", "the store does not say what it does when it is full")
    limit = int(told.get("maxmemory", 0))
    bound = f"{limit / 1e6:.0f} MB at most" if limit else "no limit"
    if policy != NEVER_EVICTS:
        advice = f"set maxmemory-policy to {NEVER_EVICTS}, or answers are lost and calls paid twice"
        found = f"{bound}, and when it is full it forgets some ({policy})"
        return failed("store memory", found, advice) if limit else warning("store memory", found, advice)
    return fine("store memory", f"{bound}, and when it is full it refuses ({policy})")


def persists(told: Told) -> Check:
    """What it holds outlives its restart."""
    appends = bool(int(told.get("aof_enabled", 0)))
    name = "aof_last_write_status" if appends else "rdb_last_bgsave_status"
    if told.get(name, "ok") != "ok":
        return failed(
            "store disk", f"its last write to disk failed ({name})", "look into its log and its disk"
        )
    if not appends:
        advice = "set appendonly to yes, or what it learned since the last snapshot is lost with it"
        return warning("store disk", "it appends nothing to disk", advice)
    return fine("store disk", "it appends every write to a file")


async def _clock(store: RedisStore, clock: Clock) -> Check:
    asked_ms = clock.now_ms()
    seconds, microseconds = await store.command("TIME")
    here_s = (asked_ms + clock.now_ms()) / 2 / 1000
    return skew(here_s - (int(seconds) + int(microseconds) / 1e6))


def skew(ahead_s: float) -> Check:
    """This machine's clock agrees with the store's: leases end by the one, deadlines by the other."""
    if abs(ahead_s) <= MOST_SKEW_S:
        return fine("store clock", f"within {MOST_SKEW_S:g} s of this machine's")
    side = "behind" if ahead_s > 0 else "ahead of"
    found = f"{abs(ahead_s):.0f} s {side} this machine's"
    return warning("store clock", found, "synchronise both (NTP), or deadlines end at the wrong time")


def _not_asked(because: str) -> list[Check]:
    return [skipped(name, because) for name in BEHIND_THE_STORE]
