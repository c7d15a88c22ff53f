"""Faults of those who ask: thrice, another thing by the same name, taken back, too late, and hostile."""

import asyncio
from typing import Any

from chaos.asks import ask
from chaos.catalogue.entry import entry
from chaos.catalogue.reader import some_text
from chaos.catalogue.stage import Stage
from fleet_simulator.faults import Fault, Kind
from harness.caller import a_caller
from harness.waiting import until

SLOW = Fault(Kind.PACE, tokens_per_second=6)
MEBIBYTE = 1024 * 1024
POISONS: dict[str, bytes] = {
    "nothing": b"",
    "no json": b"hello",
    "no object": b"[1,2]",
    "deep": b"[" * 200_000,
    "many keys": b"{" + b",".join(b'"%d":0' % number for number in range(300_000)) + b"}",
    "NaN": b'{"model":"m","temperature":NaN}',
    "infinity": b'{"model":"m","temperature":1e999}',
    "lone surrogate": b'{"model":"\\ud800"}',
    "no UTF-8": b'{"model":"\xff\xfe"}',
    "NUL": b"\x00" * 100,
    "BOM": b'\xef\xbb\xbf{"model":"m"}',
    "wrong types": b'{"model":7,"messages":"hi"}',
    "15 MiB": b" " * (15 * MEBIBYTE),
}
POISONED: dict[str, dict[str, Any]] = {
    "unknown type": {"type": "chat.v9"},
    "gzip": {"content_encoding": "gzip"},
    "lying header": {"headers": {"fleet-retry": "many"}},
    "nested header": {"headers": {"fleet-deadline-ms": {"a": {"b": [1]}}}},
}


@entry(47, "every request is published three times", "one call and one end for each, told again where asked")
async def asked_thrice(stage: Stage) -> None:
    requests = [f"thrice-{number}" for number in range(round(stage.load_of.rate * 5))]
    async with asyncio.TaskGroup() as asking:
        for number, request in enumerate(requests):
            asking.create_task(_thrice(stage, request, ask(number)))
    report = await stage.report()
    stage.must(report.results == len(requests), f"{len(requests)} results, not {report.results}")
    stage.must(report.repeated > 0, "ends were told again: else nothing was tried")
    await stage.paid_once()


async def _thrice(stage: Stage, request: str, body: dict[str, Any]) -> None:
    await stage.caller.ask(request, body)
    await asyncio.sleep(stage.chance.uniform(0, 2))
    await stage.caller.repeat(request)
    await asyncio.sleep(stage.chance.uniform(0, 4))
    await stage.caller.repeat(request)


@entry(
    48,
    "the same correlation ID with another body, while the first one runs and after it",
    "it is refused as idempotency_conflict, and the first one is untouched",
)
async def another_body(stage: Stage) -> None:
    stage.scene.simulator.inject(SLOW)
    async with a_caller(stage.scene.url) as caller:
        asked = await caller.ask(ask(5))
        await some_text(caller)
        await caller.ask(ask(6), correlation_id=asked)
        ends = [(await caller.until_end(30))[-1] for _ in range(2)]
        await caller.ask(ask(7), correlation_id=asked)
        ends.append((await caller.until_end(30))[-1])
    codes = [end.get("code", "result") for end in ends]
    stage.note("told", ", ".join(codes))
    stage.must(sorted(codes) == ["idempotency_conflict"] * 2 + ["result"], f"two conflicts, not {codes}")
    refusals = [end["id"] for end in ends if "code" in end]
    stage.must(all(f"{asked}:refused:" in each for each in refusals), f"they end nothing: {refusals}")
    stage.must(stage.calls() == 1, f"one call is charged, not {stage.calls()}")


@entry(
    49,
    "cancels before, during and after the call, twice, and by strangers",
    "one end each: cancelled only where its own caller said so, and kept if asked again",
)
async def cancel_races(stage: Stage) -> None:
    caller = stage.caller
    await caller.ask("kept", ask(4))  # so that there is something to cancel
    async with stage.load(cancel_every=2), asyncio.TaskGroup() as cancels:
        for number in range(20):
            request = f"cancelled-{number}"
            await caller.ask(request, ask(number))
            for _ in range(2):
                cancels.create_task(_after(stage.chance.uniform(0, 3), caller, request, "chaos"))
            other = f"strange-{number}"
            await caller.ask(other, ask(100 + number))
            cancels.create_task(_after(stage.chance.uniform(0, 3), caller, other, "stranger"))
    await caller.until_answered(60)
    ended = list(caller.heard)
    for request in ended[:10]:
        await caller.repeat(request)
    await stage.until_ended(len(ended) + 10)
    report = await stage.report()
    stage.note("cancelled", report.cancelled)
    stage.must(0 < report.cancelled < report.requests, f"{report.cancelled} cancelled of {report.requests}")
    strange = [end for request, end in caller.heard.items() if request.startswith("strange-")]
    stage.must(all(end[0]["kind"] == "result" for end in strange), "no stranger cancels anything")


async def _after(seconds: float, caller: Any, request: str, tenant: str) -> None:
    await asyncio.sleep(seconds)
    await caller.cancel(request, tenant)


@entry(
    57,
    "what no worker can read: no JSON, too deep, too large, lying headers, among good requests",
    "one failure and one dead letter each, none goes round, and the good ones never notice",
    may={"dead letters that no failure explains"},
)
async def poison_set(stage: Stage) -> None:
    sent = len(POISONS) + len(POISONED)
    async with stage.load(), a_caller(stage.scene.url) as caller:
        for body in POISONS.values():
            await caller.ask(body)
        for properties in POISONED.values():
            await caller.ask(ask(1), **properties)
        ends = [(await caller.until_end(40))[-1] for _ in range(sent)]
        await caller.silence(2)
    codes = {end["code"] for end in ends if end["kind"] == "failure"}
    stage.must(codes <= {"invalid_request", "too_large"}, f"each is refused for what it is, not {codes}")
    stage.must(all(end["kind"] == "failure" for end in ends), "none of them has an answer")
    report = await stage.report()
    letters = report.residue.dead_letters
    stage.must(letters == sent, f"one dead letter for each of {sent}, not {letters}")
    stage.must(report.results == report.requests, f"the others have results, not {dict(report.failures)}")


@entry(
    58,
    "an ended request is asked again 10 s before the ledger forgets it, and 10 s after",
    "before: the same answer and no call; after: a new call, as is documented",
    settings={"FLEET_LEDGER_KEPT_S": "60", "FLEET_LEDGER_BODIES_S": "60"},
    may={"answered twice"},
)
async def forgotten(stage: Stage) -> None:
    caller = stage.caller
    await caller.ask("old", ask(1))
    await caller.until_answered(30)
    await asyncio.sleep(50)
    await caller.repeat("old")
    await stage.until_ended(2)
    stage.must(stage.calls() == 1, f"no new call while it is known, not {stage.calls()}")
    stage.must(len({end["id"] for end in caller.heard["old"]}) == 1, "the same end once more")
    await asyncio.sleep(20)
    await caller.repeat("old")
    await stage.until_ended(3)
    stage.must(stage.calls() == 2, f"a new call when it is forgotten, not {stage.calls()}")


@entry(
    59,
    "SIGTERM of a worker that is 1 s away from the broker: requests arrive after its cancel",
    "what arrives is given back at once: others answer it while the drain goes on",
    settings={"FLEET_DRAIN_S": "60"},  # the longest calls of this pace take 42
)
async def arrives_after_the_cancel(stage: Stage) -> None:
    crew = stage.scene.crew
    stage.scene.simulator.inject(Fault(Kind.PACE, tokens_per_second=2))
    async with stage.load():
        await asyncio.sleep(4)
        stage.scene.simulator.faults.clear()  # what comes now is quick, what runs is not
        leaving = crew.members[0]
        leaving.broker.delay(0.5)
        told = stage.now()
        ending = asyncio.create_task(crew.lose(leaving, grace_s=70))
        await asyncio.sleep(5)
        late = {event.request for event in stage.seen("published") if told < event.at < told + 2}
        await until(lambda: late <= set(stage.caller.heard), deadline_s=20)
        stage.note("answered after", f"{stage.now() - told:.1f} s")
        stage.must(not ending.done(), "the drain still goes on: else nothing was tried")
    await ending
    stage.mended()
    stage.must(not stage.seen("restarted"), "nobody's text was taken back")
    await stage.paid_once()
