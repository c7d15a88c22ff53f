"""The queues of tenants that have their own, by the settings in the store."""

from collections.abc import Mapping

from fleet_chassis.clock import Clock
from fleet_chassis.settings import SettingsError
from fleet_cli.limits.opening import opened
from fleet_cli.limits.showing import queues_of_tenants
from fleet_cli.stack.errors import StackError


async def tenants_queues(variables: Mapping[str, str], clock: Clock) -> list[str]:
    """Their names; none where the store can't be asked, for its own check says that."""
    if not variables.get("REDIS_URL"):
        return []
    try:
        async with opened(variables, clock) as overview:
            return queues_of_tenants(await overview.settings())
    except (SettingsError, StackError):
        return []
