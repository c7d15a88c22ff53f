"""What is asked of the limiter: each scenario plays it and gives its figures, with their goals."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import Any

from limiter_outcome import Outcome
from limiter_report import Figure, ms, percent, percentile
from limiter_run import MODEL, play

from fleet_chassis.clock import SystemClock
from fleet_worker.prices import published_prices

Scenario = Callable[[Any], AsyncIterator[Figure]]
LIMITERS = {"ours": "", "polling": ", a script polled every 50 ms", "share": ", a fixed share a worker"}
LOAD: dict[str, Any] = {"callers": [{"tenant": "acme", "count": 24}], "seconds": (0.3, 0.5)}
STRICT: dict[str, Any] = {"rules": {"concurrency": 64, "start": 64}, "provider": 64, **LOAD}


async def concurrency(args: Any) -> AsyncIterator[Figure]:
    """A strict limit of 64, with 24 callers in each process."""
    for limiter, called in LIMITERS.items():
        run, ours = await play(args, limiter=limiter, **STRICT), limiter == "ours"
        name = f"strict limit of 64{called}"
        over, used = run.count("refused"), run.used(64, run.first_full(64), run.ended)
        yield Figure(
            name,
            "most at once; refused",
            f"{run.peak()}; {over}",
            "64; 0" if ours else "",
            _if(ours, run.peak() <= 64 and not over),
        )
        yield Figure(name, "used", percent(used), ">= 99 %" if ours else "", _if(ours, used >= 0.99))
        scripts = run.scripts_a_call()
        yield Figure(
            name, "store calls a call", f"{scripts:.2f}", "<= 3.2" if ours else "", _if(ours, scripts <= 3.2)
        )


async def kills(args: Any) -> AsyncIterator[Figure]:
    """The same with a worker killed every 5 s; what the dead's unexpired leases hold is told apart."""
    for_s = max(29.0, args.seconds)
    run = await play(args, kill_every=5, prepared=int(for_s / 5), for_s=for_s, **STRICT)
    begins, over = run.first_full(64), run.count("refused")
    busy_s, all_s = run.busy_s(begins, run.ended), 64 * (run.ended - begins)
    dead_s, longest_s = run.held_by_the_dead_s(run.ended)
    name = f"strict limit of 64, {len(run.kills)} kills, one every 5 s"
    yield Figure(
        name, "most at once; refused", f"{run.peak()}; {over}", "64; 0", run.peak() <= 64 and not over
    )
    used = busy_s / (all_s - dead_s)
    yield Figure(name, "used, of what the dead did not hold", percent(used), ">= 99 %", used >= 0.99)
    yield Figure(name, "held by the dead until taken back", percent(dead_s / all_s))
    yield Figure(name, "longest until their leases were taken back", f"{longest_s:.1f} s")
    yield Figure(name, "used, of all", percent(busy_s / all_s))
    yield Figure(name, "calls cut off by the kills", str(run.count("broken")))


async def rates(args: Any) -> AsyncIterator[Figure]:
    """Requests and tokens in any window of 10 s, with a burst of 0.2 s and 0.5 s for late arrivals."""
    window: dict[str, Any] = {"concurrency": 500, "start": 500, "window_s": 10.0, "burst_s": 0.2}
    theory, theory_of_big = 10 / (10 + 0.2 + 0.5), (1 - 0.04) * 10 / (10 + 0.5)
    callers = [{"tenant": "acme", "count": 12, "tokens": 1000}]
    load: dict[str, Any] = {"seconds": (0.02, 0.05), "for_s": max(25.0, args.seconds)}
    big: dict[str, Any] = {"tenant": "big", "count": 1, "tokens": 40_000}
    for name, limit, tokens, asking, best in (
        ("1000 requests in any 10 s", 1000, False, callers, theory),
        ("1 000 000 reserved tokens in any 10 s", 10**6, True, callers, theory),
        ("the same, with requests of 40 000 tokens too", 10**6, True, [*callers, big], theory_of_big),
    ):
        rules = {**window, "tpm" if tokens else "rpm": limit}
        run = await play(args, rules=rules, callers=asking, **load)
        most, used = max(run.windows(10, tokens=tokens)), _rate(run, limit, tokens=tokens)
        yield Figure(name, "most in a window", f"{most / limit:.2%} of the limit", "<= 100 %", most <= limit)
        yield Figure(
            name, "used, of what theory allows", percent(used / best), ">= 97 %", used / best >= 0.97
        )
    run = await play(args, rules={**window, "tpm": 10**6}, **load, callers=callers, actual=(0.3, 1.0))
    over = sorted(total / 10**6 - 1 for total in run.windows(10, tokens=True))
    name = "the same, real use 0.3 to 1.0 of what is asked for, estimated from what was used before"
    yield Figure(name, "real tokens over the limit, p99 of all windows", f"{percentile(over, 0.99):+.2%}")
    yield Figure(name, "and at most", f"{over[-1]:+.2%}")
    yield Figure(name, "used, of what theory allows", percent(_rate(run, 10**6, tokens=True) / theory))


def _rate(run: Outcome, limit: int, *, tokens: bool) -> float:
    """What began over what the limit allows, once the first burst is over."""
    begins = run.started + 3
    counted = (event for event in run.events if event.what == "began" and begins < event.at < run.ended)
    total = sum(event.tokens if tokens else 1 for event in counted)
    return total / (limit * (run.ended - begins) / 10)


async def hidden(args: Any) -> AsyncIterator[Figure]:
    """A provider whose limit goes 40, 15, 40 and is told in its refusals alone."""
    step = max(20.0, args.seconds / 3)
    run = await play(
        args,
        rules={"concurrency": 100, "start": 32},
        provider=40,
        for_s=3 * step + 10,
        callers=[{"tenant": "acme", "count": 16}],
        seconds=(0.35, 0.45),
        limits_at=((step, 15), (2 * step, 40)),
    )
    starts, refused = run.started, run.count("refused")
    share = refused / max(1, refused + run.count("began"))
    again = (event.at for event in run.events if event.at > starts + 2 * step and event.in_flight >= 40)
    back = next(again, float("inf")) - starts - 2 * step
    plateaus = [
        run.used(40, run.first_full(40), starts + step),
        run.used(15, starts + step + 1, starts + 2 * step),
        run.used(40, starts + 2 * step + min(back, 15), run.ended),
    ]
    name = "hidden limit 40, then 15, then 40; 100 configured, 32 to begin with"
    yield Figure(name, "calls that saw a 429", f"{share:.2%}", "<= 1 %", share <= 0.01)
    yield Figure(
        name, "used on each plateau", " / ".join(map(percent, plateaus)), ">= 95 %", min(plateaus) >= 0.95
    )
    yield Figure(name, "back at 40 after", f"{back:.1f} s", "<= 15 s", back <= 15)


HEAVY = [{"tenant": f"t{n}", "count": 1 + (n % 3), "tokens": 100 * (1 + n % 4)} for n in range(55)]
LIGHT = [{"tenant": f"light{n}", "count": 1, "tokens": 100, "pause_s": 0.5, "only": n} for n in range(5)]
"""Each in one process, with about a call a second: a seventh of a tenant's fair share."""


async def fairness(args: Any) -> AsyncIterator[Figure]:
    """60 tenants of equal weight and very unequal appetite, five of them light."""
    crowd: dict[str, Any] = {"rules": {"concurrency": 100, "start": 100}, "seconds": (0.3, 0.5), "warm_s": 3}
    run = await play(args, callers=[*HEAVY, *LIGHT], **crowd)
    # The machine is as busy as before, and nobody else wants what the light ones want.
    elsewhere = [{**one, "model": "deepseek-v4-pro"} for one in HEAVY]
    apart = await play(args, callers=[*elsewhere, *LIGHT], **crowd)
    alone = await play(args, callers=LIGHT, **crowd)
    tokens: dict[str, int] = defaultdict(int)
    begins = run.first_full(100) + 2
    for event in run.events:
        if event.what == "began" and event.tenant.startswith("t") and begins < event.at < run.ended:
            tokens[event.tenant] += event.tokens
    shares = list(tokens.values())
    jain = sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))
    name = "60 tenants of equal weight: 8 to 24 callers, 100 to 400 tokens, 5 light ones; limit of 100"
    yield Figure(name, "Jain's index over tokens", f"{jain:.4f}", ">= 0.99", jain >= 0.99)
    yield Figure(name, "used", percent(run.used(100, begins, run.ended)))
    with_all, idle = percentile(run.waits("light"), 0.99), percentile(apart.waits("light"), 0.99)
    yield Figure(
        name,
        "p99 wait of the light ones, and with the others in another pool",
        f"{ms(with_all)}, {ms(idle)}",
        "at most twice",
        with_all <= 2 * idle,
    )
    yield Figure(
        name,
        "the same at p50, and both on an idle machine",
        f"{ms(percentile(run.waits('light'), 0.5))}, {ms(percentile(apart.waits('light'), 0.5))}; "
        f"p50 {ms(percentile(alone.waits('light'), 0.5))}, p99 {ms(percentile(alone.waits('light'), 0.99))}",
    )
    yield Figure(name, "p99 wait of a heavy one", f"{percentile(run.waits('t2'), 0.99):.1f} s")
    yield Figure(
        name, "store calls a call", f"{run.scripts_a_call():.2f}", "<= 3.2", run.scripts_a_call() <= 3.2
    )


async def uneven(args: Any) -> AsyncIterator[Figure]:
    """A heavy tenant and three light ones on a limit of 24: what each gets, how long the light wait."""
    light: list[dict[str, Any]] = [{"tenant": f"light{n}", "count": 4} for n in range(3)]
    callers = [{"tenant": "heavy", "count": 20}, *light]
    for limiter, called in LIMITERS.items():
        run = await play(
            args, limiter=limiter, rules={"concurrency": 24}, provider=24, callers=callers, seconds=(0.3, 0.5)
        )
        served: dict[str, int] = defaultdict(int)
        for event in run.events:
            served[event.tenant] += event.what == "ended"
        name = f"limit of 24, a tenant with 20 callers in each process and three with 4{called}"
        shares = " : ".join(str(served[str(one["tenant"])]) for one in callers)
        yield Figure(name, "served", shares)
        waited = percentile(run.waits("light"), 0.99)
        yield Figure(
            name,
            "used; p99 wait of the three; store calls a call",
            f"{percent(run.used(24, run.first_full(24), run.ended))}; {waited:.1f} s; "
            f"{run.scripts_a_call():.1f}",
        )


async def uncontended(args: Any) -> AsyncIterator[Figure]:
    """One caller alone: what a permit costs. And what a worker asks that has nothing to do."""
    load: dict[str, Any] = {
        "callers": [{"tenant": "acme", "count": 1, "pause_s": 0.005}],
        "seconds": (0.001, 0.002),
        "rules": {"concurrency": 64},
        # Not the grace of a store that is new.
        "warm_s": 5,
    }
    waits = (await play(args, processes=1, for_s=15, **load)).waits("acme")
    asked = (await play(args, processes=1, for_s=15, limiter="ping", **load)).waits("acme")
    slow = percentile(waits, 0.99)
    name = "a permit with nobody in the way"
    yield Figure(name, "p99", ms(slow), "< 1.5 ms", slow < 0.0015)
    yield Figure(name, "p50", ms(percentile(waits, 0.5)))
    pings = f"{ms(percentile(asked, 0.5))}, {ms(percentile(asked, 0.99))}"
    yield Figure(name, "a bare PING in its place, p50 and p99", pings)
    idle = await play(
        args, processes=1, rules={"concurrency": 64}, for_s=10.5, callers=[], seconds=(1, 1), idle_s=10
    )
    scripts = sum(one["scripts_idle"] for one in idle.reports)
    yield Figure("a worker with nothing to do", "store calls in 10 s", str(scripts), "5", scripts <= 6)


async def money(args: Any) -> AsyncIterator[Figure]:
    """A budget of one dollar and a hundred callers; then the same with a store that forgets every 3 s."""
    for name, more in (
        ("a dollar a day, 104 callers", {}),
        ("the same, the store emptied every 3 s", {"flush_every": 3}),
    ):
        run = await play(
            args,
            rules={"concurrency": 500, "start": 500},
            budget=1.0,
            for_s=8,
            callers=[{"tenant": "acme", "count": 13, "tokens": 20_000}],
            seconds=(0.2, 0.4),
            actual=(0.1, 1.0),
            **more,
        )
        prices, now = published_prices(), SystemClock().now_ms()
        costs = (
            prices.cost_of(MODEL, {"completion_tokens": event.tokens}, now)
            for event in run.events
            if event.what == "ended"
        )
        spent = float(sum(cost for cost in costs if cost is not None))
        yield Figure(name, "spent, as the provider counts", f"${spent:.4f}", "<= $1", spent <= 1)
        refused = sum(one["refused"] for one in run.reports)
        yield Figure(name, "callers told that it is used up", str(refused))


def _if(asked: bool, met: bool) -> bool | None:
    return met if asked else None
