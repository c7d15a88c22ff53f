"""Changes limits while the fleet runs: every worker obeys from its next call on."""

from collections.abc import Mapping

from fleet_chassis.clock import Clock
from fleet_cli.console import say
from fleet_cli.limits.opening import opened
from fleet_cli.wrong_input import WrongInputError
from fleet_contracts.grammar import is_tenant

EVERYBODY = "*"
Limits = Mapping[str, float | None]
"""By name: None leaves a limit as it is, 0 takes away what was set."""


async def set_limits(
    environ: Mapping[str, str], clock: Clock, pool: str | None, limits: Limits, reserve: float | None
) -> None:
    """Set a pool's limits, or the share that batch leaves free."""
    wanted = _wanted(limits)
    if pool is None and wanted:
        raise WrongInputError(
            "limits are a model's: name one, as in `fleet limits set deepseek-flash --rpm 60`"
        )
    if not wanted and reserve is None:
        raise WrongInputError("nothing to set: give a limit, see `fleet limits set --help`")
    async with opened(environ, clock) as overview:
        if pool is not None and wanted:
            await overview.set_pool(pool, **wanted)
        if reserve is not None:
            await overview.set_reserve(reserve)
    say("set; every worker obeys from its next call on")


async def set_tenant(environ: Mapping[str, str], clock: Clock, tenant: str, limits: Limits) -> None:
    """Set one tenant's limits; `*` for all who have none of their own."""
    wanted = _wanted(limits)
    if not wanted:
        raise WrongInputError("nothing to set: give a limit, see `fleet tenant set --help`")
    async with opened(environ, clock) as overview:
        await overview.set_tenant(checked(tenant), **wanted)
    say("set; every worker obeys from its next call on")


async def clear_tenant(environ: Mapping[str, str], clock: Clock, tenant: str) -> None:
    """Take away every limit and budget of a tenant."""
    async with opened(environ, clock) as overview:
        if not any(name.startswith(f"tenant|{checked(tenant)}|") for name in await overview.settings()):
            raise WrongInputError(f"no limit is set for {tenant}: see `fleet tenant list`")
        await overview.clear_tenant(tenant)
    say(f"removed the limits of {tenant}")


def checked(tenant: str, *, everybody: bool = True) -> str:
    """The tenant; raises WrongInputError where it is none. `everybody`: whether * may stand for all."""
    if not is_tenant(tenant) and not (everybody and tenant == EVERYBODY):
        raise WrongInputError(f"{tenant!r} is no tenant: use 1 to 64 letters, digits, underscores or hyphens")
    return tenant


def _wanted(limits: Limits) -> dict[str, float | None]:
    return {name: value or None for name, value in limits.items() if value is not None}
