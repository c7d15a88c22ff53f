"""Faults of the upstream as a whole: it refuses by its limits, in a bad hour, and for want of money."""

import asyncio
from collections import Counter

from chaos.catalogue.entry import entry
from chaos.catalogue.stage import Stage
from fleet_simulator.bursts import Burst
from fleet_simulator.config import DEFAULT_KEY, Account
from fleet_simulator.faults import Fault, Kind
from fleet_worker.upstream_health.policy import HealthPolicy

POLICY = HealthPolicy()
RETRIES = POLICY.budget // POLICY.cost
"""What the fleet may repeat in a bad hour."""


def _arrivals(stage: Stage, since: float) -> Counter[int]:
    """Upstream calls by the second, from a Unix time on."""
    events = stage.scene.simulator.log.events(kind="arrived")
    return Counter(event.unix_ms // 1000 for event in events if event.unix_ms >= since * 1000)


@entry(
    37,
    "the account takes 4 calls at once where the fleet begins with 60; later it takes none for 8 s",
    "the limit is learned: few calls are refused; refused for 8 s, requests wait and none fails",
    settings={"FLEET_LIMIT_START": "60", "FLEET_RETRY_BASE_S": "0.5"},
    within_s=240,  # the limit that such refusals teach grows slowly
)
async def throttled(stage: Stage) -> None:
    simulator = stage.scene.simulator
    simulator.configure(limits={"deepseek-flash": 4, "deepseek-v4-pro": 4})
    async with stage.load():
        pass
    simulator.configure(limits={"deepseek-flash": 40, "deepseek-v4-pro": 40})
    await stage.caller.until_answered(120)
    asked, refused = stage.caller.ends, stage.calls("refused")
    stage.note("refused by the limit", f"{refused} for {asked} requests")
    stage.must(0 < refused < asked, f"few calls are refused, not {refused} for {asked} requests")
    results = len(stage.seen("result"))
    stage.must(results == asked, f"a result for each within the limit, not {results} of {asked}")
    async with stage.load(10):
        await asyncio.sleep(1)
        simulator.inject(Fault(Kind.STATUS, status=429, for_seconds=8))
        await asyncio.sleep(8)
        stage.mended()
    await stage.all_have_results()
    await stage.paid_for_results()


@entry(
    38,
    "half of all calls get a 500 or a 503",
    "at most three attempts beside those turned away (503), and repeats within the fleet's budget",
    within_s=120,
)
async def half_refused(stage: Stage) -> None:
    simulator = stage.scene.simulator
    async with stage.load():
        await asyncio.sleep(3)
        simulator.configure(bursts=(Burst(503, 0.25), Burst(500, 0.34)))
        await asyncio.sleep(stage.load_of.seconds - 4)
        simulator.configure(bursts=())
        stage.mended()
    report = await stage.report()
    calls = stage.calls("arrived")
    stage.note("calls", f"{calls} for {report.ended} ends")
    stage.must(stage.calls("refused") > 0, "calls were refused: else nothing was tried")
    most = report.ended + RETRIES + sum(report.failures.values())
    stage.must(calls <= most, f"at most {most} calls, not {calls}")


@entry(
    44,
    "the account is empty for 10 s (402), then its key is refused for 8 s (401)",
    "few calls are made in vain, and nobody's request fails for it",
    settings={"FLEET_ACCOUNT_LOOK_S": "2"},
    within_s=120,
)
async def account_refused(stage: Stage) -> None:
    simulator = stage.scene.simulator
    rich = simulator.simulator.config.accounts
    async with stage.load(24):
        await asyncio.sleep(4)
        before = stage.calls("arrived")
        simulator.configure(accounts=(Account("default", (DEFAULT_KEY,), balance="0.00"),))
        await asyncio.sleep(10)
        in_vain = stage.calls("arrived") - before
        simulator.configure(accounts=rich)
        await asyncio.sleep(4)
        simulator.configure(accounts=(Account("default", ("sk-another",)),))
        await asyncio.sleep(8)
        simulator.configure(accounts=rich)
        stage.mended()
    stage.note("calls while it was empty", in_vain)
    stage.must(in_vain < stage.load_of.rate * 5, f"few calls while it is empty, not {in_vain}")
    await stage.all_have_results()
    await stage.paid_once()


@entry(
    50,
    "every call is refused for 20 s while twice as much is asked, then none",
    "the breaker holds calls back meanwhile, and who waited comes back spread out",
    within_s=150,
)
async def backlog_and_breaker(stage: Stage) -> None:
    simulator = stage.scene.simulator
    async with stage.load(rate=2 * stage.load_of.rate):
        await asyncio.sleep(1)
        ill = stage.now()
        simulator.configure(bursts=(Burst(503, 1.0),))
        await asyncio.sleep(20)
        in_vain = sum(_arrivals(stage, ill).values())
        simulator.configure(bursts=())
        well = stage.now()
        stage.mended()
    report = await stage.report()
    most = POLICY.min_calls + RETRIES + 3 * stage.entry.workers + round(4 * stage.load_of.rate)
    stage.note("calls while it was ill", f"{in_vain} of {report.requests} requests")
    stage.must(in_vain <= most, f"at most {most} calls while it is ill, not {in_vain}")
    waited = report.results
    herd = max(_arrivals(stage, well).values(), default=0)
    stage.note("most calls in a second after it", herd)
    stage.must(herd <= max(30, waited // 2), f"who waited comes back spread out, not {herd} in one second")
    stage.must(waited >= report.requests // 2, f"most have a result, not {waited} of {report.requests}")
