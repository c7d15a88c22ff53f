"""Faults of workers: killed, stopped, told to end, short of memory, and many of them in turn."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chaos.asks import ask
from chaos.catalogue.entry import entry
from chaos.catalogue.stage import Stage
from chaos.failing_worker import POINTS
from chaos.plan import Trouble
from fleet_simulator.faults import Fault, Kind
from fleet_worker.limiter import BEAT_S
from harness.waiting import until

KILL_PAUSE_S = 4.0
MOST_PAID = 1.6
"""Charged calls for each end where a worker with a third of the calls is killed every few seconds."""
PAID_TWICE = {"streaming", "answered", "earned"}
"""Where the upstream was called and what it said dies with the worker."""
SLOW = Fault(Kind.PACE, tokens_per_second=4)
"""Calls of 4 to 17 seconds."""


@entry(
    1,
    "kill -9 of a random worker every 4 s",
    "nothing lost or doubled; at most 1.6 charged calls for each end",
    within_s=40,
)
async def workers_killed(stage: Stage) -> None:
    async with stage.load():
        for _ in range(3):
            await asyncio.sleep(KILL_PAUSE_S)
            stage.mended()  # nobody mends it: the time counts from the kill
            await stage.troubles.make_one(Trouble.KILL)
    report = await stage.report()
    stage.must(report.charged_per_end <= MOST_PAID, f"{report.charged_per_end:.2f} charged for each end")


@entry(2, "kill -9 of all workers at once", "what was confirmed waits, and new workers answer it")
async def all_workers_killed(stage: Stage) -> None:
    async with stage.load():
        await asyncio.sleep(4)
        await asyncio.gather(*(stage.scene.crew.lose(member) for member in list(stage.scene.crew.members)))
        await asyncio.sleep(4)
        stage.must(stage.caller.waiting > 0, "requests wait while nobody works: else nothing was tried")
        stage.mended()
        await stage.scene.crew.start()
        await stage.scene.crew.start()


@entry(
    3,
    "kill -9 between each two steps of the protocol",
    "one result each; two calls charged only where text was on its way, one elsewhere",
    workers=0,
    within_s=90,
)
async def killed_between_steps(stage: Stage) -> None:
    crew = stage.scene.crew
    for number, point in enumerate(POINTS):
        mark, before = stage.folder / point, stage.calls()
        crew.odd = {"POINT": point, "MARK": str(mark)}
        doomed = await crew.start()
        await stage.caller.ask(f"killed-{point}", ask(5 * number))
        async with asyncio.timeout(30):
            await doomed.child.wait()
        await crew.lose(doomed)
        crew.odd = {}
        healthy = await crew.start()
        await stage.caller.until_answered(40)
        if point == "published":
            await stage.until_ended(len(POINTS) + 1)  # it is told once more
        charged = stage.calls() - before
        wanted = 2 if point in PAID_TWICE else 1
        stage.must(charged == wanted, f"{wanted} charged when killed at {point}, not {charged}")
        if point != POINTS[-1]:  # somebody must put away what the dead have left
            await crew.lose(healthy, grace_s=20)
    stage.must((await stage.report()).results == len(POINTS), "a result for each of them")


@entry(
    4,
    "SIGSTOP of a worker for 5 s, of another for 40 s",
    "no two ends; what the first one held is answered by others while it stands",
    within_s=30,
)
async def worker_stopped(stage: Stage) -> None:
    async with stage.load(), _standing_still(stage, 5):
        pass
    async with stage.load(), _standing_still(stage, 40):
        await stage.caller.until_answered(90)
        stage.note("all answered", "while it stood")
    stage.mended()


@entry(
    5,
    "SIGTERM with long calls: one worker has 30 s, the next 2 s",
    "no new start after it; what 30 s suffice for is paid once; nothing waits for a worker that ends",
    settings={"FLEET_DRAIN_S": "30"},
)
async def worker_told_to_end(stage: Stage) -> None:
    crew = stage.scene.crew
    stage.scene.simulator.inject(SLOW)
    async with stage.load(10):
        await asyncio.sleep(5)
        patient = crew.members[0]
        told = stage.now()
        status = await crew.lose(patient, grace_s=40)
        stage.must(status == 0, f"a drained worker ends with status 0, not {status}")
    late = [
        event
        for event in stage.seen("accepted")
        if event.fields["worker"] == patient.child.name and event.at > told + 1
    ]
    stage.must(not late, f"no start after SIGTERM, not {len(late)}")
    await stage.caller.until_answered(60)
    stage.must(stage.calls() == stage.caller.ends, f"{stage.calls()} charged for {stage.caller.ends} ends")
    hasty = await crew.start(FLEET_DRAIN_S="2")
    await _hurry(stage, hasty.child.name)
    reasons = set((await stage.report()).restarted)
    stage.must(reasons <= {"worker_lost"}, f"what was broken off goes on elsewhere: {sorted(reasons)}")
    stage.must(not (await stage.report()).failures, "nobody fails for a drain")


async def _hurry(stage: Stage, name: str) -> None:
    crew = stage.scene.crew
    hasty = next(member for member in crew.members if member.child.name == name)
    async with stage.load(8):
        await asyncio.sleep(5)
        began = stage.now()
        status = await crew.lose(hasty, grace_s=20)
        stage.must(status == 0, f"it ends with status 0, not {status}")
        stage.note("ended after", f"{stage.now() - began:.1f} s")
        stage.must(stage.now() - began < 12, "a worker with 2 s to drain ends soon")
        stage.mended()


@entry(
    6,
    "SIGTERM of one worker after the other, every 3 s, each replaced",
    "every call is paid once, and no owner counts as vanished",
)
async def sigterm_storm(stage: Stage) -> None:
    crew = stage.scene.crew
    async with stage.load(), asyncio.TaskGroup() as ending:
        for _ in range(4):
            await asyncio.sleep(3)
            ending.create_task(crew.lose(crew.members[0], grace_s=30))
            await crew.start()
    stage.mended()
    await stage.paid_once()
    stage.must(not stage.seen("restarted"), "nobody's text was taken back")


@entry(
    7,
    "a request that no worker survives (as the kernel ends what is short of memory), among others",
    "it fails as crash_loop after three deaths, and the others have their answers",
    workers=0,
    may={"dead letters that no failure explains"},
)
async def deadly_request(stage: Stage) -> None:
    crew = stage.scene.crew
    crew.odd = {"POISON": "arsenic"}
    for _ in range(2):
        await crew.start()
    replacing = asyncio.create_task(crew.replace_the_dead())
    try:
        body = {**ask(1), "messages": [{"role": "user", "content": "arsenic"}]}
        async with stage.load():
            await stage.caller.ask("deadly", body)
            await until(lambda: "deadly" in stage.caller.heard, deadline_s=90)
        await stage.caller.until_answered(90)
    finally:
        replacing.cancel()
    end = stage.caller.heard["deadly"][0]
    stage.must(
        end.get("code") == "crash_loop", f"it fails as crash_loop, not {end.get('code') or end['kind']}"
    )
    stage.note("deaths", len(crew.fleet.workers) - len(crew.members))
    others = (await stage.report()).results
    stage.must(others == stage.caller.ends - 1, f"every other request has a result, not {others}")


@entry(
    51,
    "calls of half a minute, with a drain, a broker restart and a store restart in them",
    "every call is paid once",
    settings={"FLEET_DRAIN_S": "60"},
)
async def long_calls(stage: Stage) -> None:
    stage.scene.simulator.inject(Fault(Kind.PACE, tokens_per_second=2))
    async with stage.load(4, rate=3):
        pass
    await asyncio.sleep(1)
    drained = asyncio.create_task(stage.scene.crew.lose(stage.scene.crew.members[0], grace_s=70))
    await stage.trouble(Trouble.BROKER_RESTART)
    await asyncio.sleep(BEAT_S)
    await stage.trouble(Trouble.STORE_RESTART)
    status = await drained
    stage.must(status == 0, f"the drained worker ends with status 0, not {status}")
    await stage.paid_once()


@entry(
    52,
    "the fleet grows from 1 to 4 workers and shrinks to 1 again, three times",
    "nothing lost, every call paid once, no permit left over",
    workers=1,
)
async def fleet_breathes(stage: Stage) -> None:
    crew = stage.scene.crew
    async with stage.load(30):
        for _ in range(3):
            for _ in range(3):
                await crew.start()
            await asyncio.sleep(2)
            await asyncio.gather(*(crew.lose(member, grace_s=30) for member in crew.members[1:]))
    stage.mended()
    await stage.paid_once()


@asynccontextmanager
async def _standing_still(stage: Stage, seconds: float) -> AsyncGenerator[None]:
    member = stage.scene.crew.members[0]
    await asyncio.sleep(3)
    member.child.signal(signal.SIGSTOP)
    try:
        began = stage.now()
        yield
        await asyncio.sleep(max(0.0, seconds - (stage.now() - began)))
    finally:
        member.child.signal(signal.SIGCONT)
