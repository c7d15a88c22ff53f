"""Changes limits while the fleet runs: every worker obeys from its next call on."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fleet_chassis.clock import Clock
from fleet_cli.console import complain, say
from fleet_cli.limits.opening import opened
from fleet_cli.wrong_input import WrongInputError
from fleet_contracts.grammar import is_tenant
from fleet_worker.limiter.overview import Overview

EVERYBODY = "*"
LEAST_WEIGHT, LEAST_DOLLARS = 0.001, 0.000001
Limits = Mapping[str, float | None]
"""By name: None leaves a limit as it is, 0 takes away what was set."""
SET = "set; every worker obeys from its next call on"
TAKEN_AWAY = "taken away; every worker goes by its own settings from its next call on"
_NAME = re.compile(r"[^\s|]{1,200}")


@dataclass(frozen=True, slots=True)
class Pool:
    """An account's calls of a model; raises WrongInputError where a name can't be one."""

    account: str
    model: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.model):
            raise WrongInputError(f"{self.model!r} is no model: name one, as deepseek-flash")
        if not _NAME.fullmatch(self.account) or "/" in self.account:
            raise WrongInputError(
                f"{self.account!r} is no account: `fleet limits show` has them before the /"
            )

    @property
    def name(self) -> str:
        """As the limiter and `fleet limits show` have it."""
        return f"{self.account}/{self.model}"


async def set_limits(
    environ: Mapping[str, str], clock: Clock, pool: Pool | None, limits: Limits, reserve: float | None
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
            await _warn_of_strangers(overview, pool.name)
            await overview.set_pool(pool.name, **wanted)
        if reserve is not None:
            await overview.set_reserve(reserve)
    say(_done([*wanted.values(), reserve] if reserve is not None else wanted.values()))


async def clear_limits(environ: Mapping[str, str], clock: Clock, pool: Pool | None) -> None:
    """Take away what was set for a pool; where None, for all of them, and the reserve."""
    async with opened(environ, clock) as overview:
        there_was = await (overview.clear_pools() if pool is None else overview.clear_pool(pool.name))
    if not there_was:
        what = "any model" if pool is None else pool.name
        raise WrongInputError(f"no limit is set for {what}: see `fleet limits show`")
    say(TAKEN_AWAY)


async def relearn(environ: Mapping[str, str], clock: Clock, pool: Pool) -> None:
    """Have a pool begin again as one that was never called."""
    async with opened(environ, clock) as overview:
        if pool.name not in await overview.pools():
            raise WrongInputError(
                f"no worker has called {pool.name}: `fleet limits show` has those that were"
            )
        await overview.relearn(pool.name)
    say(f"forgotten what DeepSeek's answers taught of {pool.name}; the next refusal teaches it again")


async def set_tenant(environ: Mapping[str, str], clock: Clock, tenant: str, limits: Limits) -> None:
    """Set one tenant's limits; `*` for all who have none of their own."""
    wanted = _wanted(limits)
    _refuse_tiny("--weight", wanted.get("weight"), LEAST_WEIGHT)
    for period in ("day", "month"):
        _refuse_tiny(f"--{period}", wanted.get(period), LEAST_DOLLARS)
    if not wanted:
        raise WrongInputError("nothing to set: give a limit, see `fleet tenant set --help`")
    name = checked(tenant)
    async with opened(environ, clock) as overview:
        await overview.set_tenant(name, **wanted)
    say(_done(wanted.values()))


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


async def _warn_of_strangers(overview: Overview, pool: str) -> None:
    if pool not in await overview.pools():
        complain(f"no worker has called {pool} yet: if that is no slip, it holds from the first call on")


def _done(values: Iterable[float | None]) -> str:
    return TAKEN_AWAY if all(value is None for value in values) else SET


def _refuse_tiny(option: str, value: float | None, least: float) -> None:
    if value is not None and value < least:
        raise WrongInputError(
            f"{option} {value:g} is too little: give at least {least:f}, or 0 to take it away"
        )


def _wanted(limits: Limits) -> dict[str, float | None]:
    return {name: value or None for name, value in limits.items() if value is not None}
