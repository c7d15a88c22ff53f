"""Whether calls are made at all, by the record of the upstream's health that all workers share."""

from collections.abc import Mapping

from fleet_chassis.clock import Clock
from fleet_chassis.settings import SettingsError
from fleet_chassis.store import StoreScriptError, StoreUnavailableError
from fleet_cli.doctor.check import Check, failed, fine, skipped
from fleet_cli.limits.opening import opened_store
from fleet_cli.stack.errors import StackError
from fleet_cli.status.snapshot import sentence_of
from fleet_cli.wrong_input import WrongInputError
from fleet_worker.limiter.overview import Overview
from fleet_worker.upstream_health.overview import troubles

ADVICE = "see fleet show of one that waits, DeepSeek's status page, and the account's balance and key"


async def check_calls(variables: Mapping[str, str], clock: Clock) -> list[Check]:
    """Whether a model is left alone or an account paused; nothing without a store."""
    if not variables.get("REDIS_URL"):
        return []
    try:
        async with opened_store(variables, clock) as (store, namespace):
            pools = [pool.pool for pool in (await Overview(store, namespace, clock).view()).pools]
            found = await troubles(store, namespace, pools, clock)
    except (SettingsError, StackError, StoreUnavailableError, StoreScriptError, WrongInputError):
        return [skipped("calls", "the store could not be asked")]
    if found:
        return [failed("calls", "; ".join(map(sentence_of, found)), ADVICE)]
    return [fine("calls", "no model is left alone, and no account is paused")]
