"""What each account may use, and what it pays."""

from collections.abc import Mapping
from pathlib import Path

from fleet_chassis.settings import SettingsError
from fleet_worker.accounts.plan import Plan, UpstreamPlan
from fleet_worker.limiter.rules import BEAT_S, AccountLimits, Rules
from fleet_worker.prices import PriceLists, Prices, PricesByAccount, no_prices, published_prices, read_prices
from fleet_worker.settings import WorkerSettings

PUBLISHED, NONE = "published", "none"
STORE_SLACK_S = 0.5


def limits_of(plan: Plan) -> Mapping[str, AccountLimits]:
    """The accounts' own limits."""
    return {account.name: AccountLimits(**account.limits.model_dump()) for account in plan.accounts}


def rules_of(plan: Plan, settings: WorkerSettings) -> Rules:
    """The limiter's rules, with the accounts' own limits."""
    return Rules(
        account=plan.accounts[0].name,
        accounts=limits_of(plan),
        concurrency=settings.limit_concurrency,
        rpm=settings.limit_rpm,
        tpm=settings.limit_tpm,
        start=settings.limit_start,
        reserve=settings.limit_reserve,
        waiters=settings.limit_waiters,
        keeps_lost=settings.permit_lost == "keep",
        spare=settings.store_down_permits if settings.store_down == "share" else 0,
        # By then every living worker has beaten once, even where its first two tries were in vain.
        grace_s=BEAT_S + 2 * settings.store_timeout_s + STORE_SLACK_S,
        longest_s=settings.longest_request_s,
    )


def prices_of(plan: Plan, settings: WorkerSettings) -> PriceLists:
    """The accounts' prices.

    Raises:
        SettingsError: a price list can't be read.
    """
    usual = _read("FLEET_PRICES_FILE", settings.prices_file) if settings.prices_file else published_prices()
    lists = {
        account.name: _list(account.upstream, plan.upstream_of(account), usual) for account in plan.accounts
    }
    return PricesByAccount(lists, usual)


def _list(name: str, upstream: UpstreamPlan, usual: Prices) -> Prices:
    match upstream.prices or (PUBLISHED if upstream.kind == "deepseek" else NONE):
        case "published":
            return usual
        case "none":
            return no_prices()
        case path:
            return _read(f"prices of upstream {name}", path)


def _read(whose: str, path: str) -> Prices:
    try:
        return read_prices(Path(path))
    except ValueError as error:
        raise SettingsError(f"{whose} is wrong: {error}.") from error
