"""Whether the upstream can be reached and takes the key; nothing here is ever billed."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from fleet_chassis.clock import Clock
from fleet_cli.doctor.check import Check, failed, fine, skipped, warning
from fleet_worker.completion import CompletionError
from fleet_worker.deepseek import Endpoints
from fleet_worker.deepseek.probe import Balance, Models, Probe, probing
from fleet_worker.limiter.balance import in_dollars
from fleet_worker.settings import BALANCE_LOW, DEEPSEEK_BASE_URL

DEADLINE_S = 8.0
NOT_FOUND = 404
MOST_SKEW_S = 2.0
NO_PROOF = "this is no proof that it answers requests"


async def check_upstream(variables: Mapping[str, str], clock: Clock) -> list[Check]:
    """The checks of the upstream, of the account's balance, and of this machine's clock against its."""
    base_url = variables.get("DEEPSEEK_BASE_URL") or DEEPSEEK_BASE_URL
    key = variables.get("DEEPSEEK_API_KEY", "")
    if not key:
        advice = "set DEEPSEEK_API_KEY; without it a worker does not start"
        return [failed("upstream", f"no key for {base_url}", advice), _unasked("balance"), _unasked("clock")]
    try:
        async with _opened(base_url, key, clock) as probe:
            models = await probe.models()
            return [
                served(base_url, models),
                await balance_of(probe, low_of(variables)),
                skew(models.ahead_s),
            ]
    except CompletionError as error:
        return [failed("upstream", f"{base_url}: {error.message}"), _unasked("balance"), _unasked("clock")]
    except ValueError as error:
        return [failed("upstream", str(error)), _unasked("balance"), _unasked("clock")]


@asynccontextmanager
async def _opened(base_url: str, key: str, clock: Clock) -> AsyncGenerator[Probe]:
    async with probing(Endpoints(base_url), key, clock, DEADLINE_S) as probe:
        yield probe


async def balance_of(probe: Probe, low: float, name: str = "balance") -> Check:
    """What is left on an account, where its upstream tells it; a warning below `low` US dollars."""
    try:
        return left(await probe.balance(), low, name)
    except CompletionError as error:
        status = error.upstream.status if error.upstream else None
        if status == NOT_FOUND:
            return skipped(name, "this upstream knows none")
        return failed(name, error.message)


def served(base_url: str, models: Models, name: str = "upstream") -> Check:
    """The upstream answered and took the key."""
    if not models.names:
        advice = "check that DEEPSEEK_BASE_URL leads to DeepSeek's API"
        return warning(name, f"{base_url} answers but names no models", advice)
    names = ", ".join(models.names)
    return fine(name, f"{base_url} took the key in {models.elapsed_ms} ms and serves {names}; {NO_PROOF}")


def low_of(variables: Mapping[str, str]) -> float:
    """US dollars below which a balance is low, as the environment has it, else a worker's default."""
    try:
        return float(variables["FLEET_BALANCE_LOW"])
    except (KeyError, ValueError):  # which is the check of the settings to tell
        return BALANCE_LOW


def left(balance: Balance, low: float, name: str = "balance") -> Check:
    """The account can pay for calls."""
    amounts = ", ".join(balance.amounts) or "an amount that it does not name"
    if not balance.available:
        return failed(name, f"{amounts}, which is too little for calls", "top the DeepSeek account up")
    if balance.amounts and in_dollars(balance.amounts) < low:
        advice = "top the DeepSeek account up: the less is left, the fewer calls it lets run at once"
        return warning(name, f"{amounts}, less than the {low:g} US dollars of FLEET_BALANCE_LOW", advice)
    return fine(name, amounts)


def skew(ahead_s: float | None) -> Check:
    """This machine's clock agrees with the upstream's; deadlines depend on it."""
    if ahead_s is None:
        return skipped("clock", "the upstream says no time")
    if abs(ahead_s) <= MOST_SKEW_S:
        return fine("clock", f"within {MOST_SKEW_S:g} s of the upstream's")
    side = "ahead of" if ahead_s > 0 else "behind"
    advice = "synchronise it (NTP), or requests with a deadline end too early or too late"
    return warning("clock", f"{abs(ahead_s):.0f} s {side} the upstream's", advice)


def _unasked(name: str) -> Check:
    return skipped(name, "the upstream gave no answer")
