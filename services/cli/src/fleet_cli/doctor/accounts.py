"""Whether each account of an accounts file can be used; nothing here is ever billed."""

from collections.abc import Mapping

from pydantic import ValidationError

from fleet_chassis.clock import Clock
from fleet_chassis.settings import SettingsError, variable_name
from fleet_cli.doctor.check import Check, failed, skipped
from fleet_cli.doctor.upstream import balance_of, served, skew
from fleet_worker.accounts.plan import AccountPlan, Plan
from fleet_worker.accounts.reading import plan_of
from fleet_worker.completion import CompletionError
from fleet_worker.settings import WorkerSettings
from fleet_worker.upstream_parts import probing_account


async def check_accounts(variables: Mapping[str, str], clock: Clock) -> list[Check]:
    """The checks of every account, and of this machine's clock against the upstream's that says the time."""
    try:
        settings = _settings(variables)
        plan = plan_of(settings)
    except (SettingsError, ValidationError) as error:
        told = str(error).rstrip(".") if isinstance(error, SettingsError) else "the settings are wrong"
        return [failed("accounts", told), skipped("clock", "no upstream was asked")]
    checks: list[Check] = []
    ahead: list[float] = []
    for account in plan.accounts:
        checks += await _check(settings, plan, account, clock, ahead)
    return [*checks, skew(ahead[0] if ahead else None)]


async def _check(
    settings: WorkerSettings, plan: Plan, account: AccountPlan, clock: Clock, ahead: list[float]
) -> list[Check]:
    name = f"account {account.name}"
    try:
        async with probing_account(settings, plan, account, clock) as (base_url, probe):
            models = await probe.models()
            if models.ahead_s is not None:
                ahead.append(models.ahead_s)
            checks = [served(base_url, models, name)]
            if plan.upstream_of(account).quirks().balance:
                checks.append(await balance_of(probe, settings.balance_low, f"balance {account.name}"))
            return checks
    except SettingsError as error:
        return [failed(name, str(error).rstrip("."))]
    except CompletionError as error:
        return [failed(name, error.message)]


def _settings(variables: Mapping[str, str]) -> WorkerSettings:
    names = {field: variable_name(WorkerSettings, field) for field in WorkerSettings.model_fields}
    given = {field: variables[name] for field, name in names.items() if name in variables}
    # Other checks are for the broker: here it may be missing.
    return WorkerSettings.model_validate({"amqp_url": "amqp://unasked/", **given})
