"""Writes down what an operator does, before it is done."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import TypeVar

from fleet_chassis.clock import Clock
from fleet_chassis.settings import SettingsError
from fleet_chassis.store import StoreScriptError, StoreUnavailableError, open_store
from fleet_cli.audit.entries import AuditLog
from fleet_cli.console import complain
from fleet_cli.environment import Operator
from fleet_cli.limits.opening import ANSWER_DEADLINE_S
from fleet_cli.stack.stack_env import addressed, namespace_of

T = TypeVar("T")


async def audited(environ: Mapping[str, str], clock: Clock, operator: Operator, work: Awaitable[T]) -> T:
    """Do `work` with an entry in the audit log, and a second one where it fails; its outcome.

    A log that can't be written stops nobody at night: it is told on standard error, once. Without a store
    there is no log.
    """
    if not await _recorded(environ, clock, operator, "begun"):
        return await work
    try:
        return await work
    except asyncio.CancelledError:
        await _recorded(environ, clock, operator, "stopped")
        raise
    except Exception as error:
        await _recorded(environ, clock, operator, f"failed: {type(error).__name__}")
        raise


async def _recorded(environ: Mapping[str, str], clock: Clock, operator: Operator, outcome: str) -> bool:
    url = addressed(environ).get("REDIS_URL")
    if not url:
        return False
    try:
        async with open_store(url, ANSWER_DEADLINE_S, clock) as store:
            await AuditLog(store, namespace_of(environ)).add(operator.who, operator.command, outcome)
    except (SettingsError, StoreUnavailableError, StoreScriptError) as error:
        complain(f"this is not in the audit log: {error}")
        return False
    return True
