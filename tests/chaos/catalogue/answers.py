"""Faults in an answer: silence, keep-alives without an end, broken bytes, and bad ends in a 200."""

from typing import NamedTuple

from chaos.asks import ask
from chaos.catalogue.entry import entry
from chaos.catalogue.stage import Stage
from fleet_simulator.faults import Fault, Kind, Match
from harness.caller import a_caller
from harness.waiting import until

LIGHTHOUSE = "lighthouse number {}."
QUICK_CLOCKS = {
    "FLEET_HEADERS_TIMEOUT_S": "2",
    "FLEET_FIRST_CONTENT_TIMEOUT_S": "3",
    "FLEET_CONTENT_GAP_TIMEOUT_S": "3",
    "FLEET_ATTEMPTS": "2",
    "FLEET_BREAKER_MIN_CALLS": "1000",
}


class Silence(NamedTuple):
    """A way to say nothing, and which clock rings."""

    kind: Kind
    after_chunks: int | None
    clock: str


HANGS = (
    Silence(Kind.HANG_BEFORE_HEADERS, None, "headers"),
    Silence(Kind.SLOW_FIRST_TOKEN, None, "first content"),
    Silence(Kind.STALL, 6, "gap"),
)
KEEP_ALIVES = (
    Silence(Kind.KEEP_ALIVES_BEFORE_FIRST_TOKEN, None, "first content"),
    Silence(Kind.KEEP_ALIVES_AFTER_LAST_TOKEN, None, "gap"),
)


@entry(
    39,
    "the upstream hangs before its headers, after them, in mid-answer",
    "the right clock rings, twice; then the request fails as upstream_timeout",
    settings=QUICK_CLOCKS,
)
async def upstream_hangs(stage: Stage) -> None:
    await _all_time_out(stage, HANGS)


@entry(
    40,
    "the upstream sends keep-alives for ever, before its first word and after its last",
    "keep-alives are no content: the right clock rings, and the request fails as upstream_timeout",
    settings=QUICK_CLOCKS,
)
async def endless_keep_alives(stage: Stage) -> None:
    await _all_time_out(stage, KEEP_ALIVES)


async def _all_time_out(stage: Stage, silences: tuple[Silence, ...]) -> None:
    for number, (kind, after, clock) in enumerate(silences, 1):
        fault = Fault(kind, Match(prompt=LIGHTHOUSE.format(5 * number)), after_chunks=after)
        stage.scene.simulator.inject(fault)
        request, began = f"silent-{kind}", stage.now()
        await stage.caller.ask(request, ask(5 * number))
        await until(lambda wanted=request: wanted in stage.caller.heard, deadline_s=40)
        end = stage.caller.heard[request][0]
        stage.note(f"{kind} ({clock})", f"{stage.now() - began:.1f} s")
        stage.must(end.get("code") == "upstream_timeout", f"{kind}: a timeout, not {end.get('code')}")
        stage.must(end.get("attempts") == 2, f"{kind}: two attempts, not {end.get('attempts')}")
    stage.scene.simulator.faults.clear()
    async with stage.load(3):
        stage.mended()


BREAKS = (
    Fault(Kind.RESET, after_chunks=5),
    Fault(Kind.CLOSE, after_chunks=5),
    Fault(Kind.EOF_WITHOUT_DONE),
    Fault(Kind.EOF_WITHOUT_DONE, after_chunks=5),
    Fault(Kind.BROKEN_UTF8, after_chunks=5),
    Fault(Kind.HUGE_LINE, after_chunks=5, size=10_000_000),
    Fault(Kind.SPLIT),
    Fault(Kind.MERGE),
    Fault(Kind.CRLF),
    Fault(Kind.BOM),
    Fault(Kind.TRAILING_USAGE),
)


@entry(
    42,
    "answers that are reset, cut, without an end, no UTF-8, one byte at a time, of 10 MB in a line",
    "never a result that is not the whole text",
    settings={"FLEET_BREAKER_MIN_CALLS": "1000"},
)
async def broken_answers(stage: Stage) -> None:
    for number, fault in enumerate(BREAKS, 1):
        for place in (5 * number, 5 * number + 1):  # one streams, one does not
            match = Match(prompt=LIGHTHOUSE.format(place))
            stage.scene.simulator.inject(
                Fault(fault.kind, match, times=1, after_chunks=fault.after_chunks, size=fault.size)
            )
            await stage.caller.ask(f"{fault.kind}-{place}", ask(place))
    stage.mended()
    report = await stage.report()
    too_large = report.failures.get("too_large", 0)  # a line that no reply could carry, where it is streamed
    whole = report.results + too_large == report.requests and too_large <= 1
    stage.must(whole, f"a result for each but the huge line's, not {dict(report.failures)}")
    faulted = stage.calls("faulted")
    stage.must(faulted >= len(BREAKS), f"every fault struck, not {faulted}: else nothing was tried")


ENDS: tuple[tuple[Fault, set[str]], ...] = (
    (Fault(Kind.FINISH_REASON, finish_reason="insufficient_system_resource"), {"result stop"}),
    (Fault(Kind.FINISH_REASON, finish_reason="aborted"), {"result stop"}),
    (Fault(Kind.FINISH_REASON, finish_reason="content_filter"), {"result content_filter"}),
    (Fault(Kind.ERROR_IN_STREAM, after_chunks=3), {"result stop"}),
    (Fault(Kind.BLANK_CONTENT), {"result stop"}),
)


@entry(
    43,
    "a 200 that ends as aborted, without resources, filtered, blank, with an error in it",
    "what the provider broke off is asked again, what it meant is told as it is",
)
async def bad_ends(stage: Stage) -> None:
    async with a_caller(stage.scene.url) as caller:
        for number, (fault, wanted) in enumerate(ENDS, 1):
            match = Match(prompt=f"Tell me of bad end {number}")
            struck = Fault(
                fault.kind, match, times=1, finish_reason=fault.finish_reason, after_chunks=fault.after_chunks
            )
            stage.scene.simulator.inject(struck)
            body = {**ask(0), "messages": [{"role": "user", "content": f"Tell me of bad end {number}."}]}
            await caller.ask(body)
            end = (await caller.until_end(40))[-1]
            told = end.get("code") or f"result {end['response']['choices'][0]['finish_reason']}"
            what = f"{fault.kind} {fault.finish_reason if fault.kind is Kind.FINISH_REASON else ''}".strip()
            stage.note(what, f"{told} after {end['attempts']}")
            stage.must(told in wanted, f"{what}: one of {sorted(wanted)}, not {told}")
    async with stage.load(3):
        stage.mended()
