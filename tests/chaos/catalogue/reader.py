"""Faults of those who read: their queue is gone, never read, refuses, and their connections break."""

import asyncio

from chaos.asks import ask
from chaos.catalogue.entry import entry
from chaos.catalogue.looking import vhost_of
from chaos.catalogue.stage import Stage
from fleet_contracts.topology import REPLY_PREFIX
from fleet_simulator.faults import Fault, Kind
from harness.caller import Caller, a_caller, a_follower

SLOW = Fault(Kind.PACE, tokens_per_second=6)


@entry(
    22,
    "the reply queue is deleted in mid-answer",
    "the call goes on and is paid once; its end is on the topic, and asking again gets it too",
)
async def reply_queue_deleted(stage: Stage) -> None:
    stage.scene.simulator.inject(SLOW)
    body = ask(5)
    async with a_caller(stage.scene.url) as first, a_follower(stage.scene.url) as follower:
        asked = await first.ask(body)
        await some_text(first)
        await first.queue.delete(if_unused=False, if_empty=False)
        copy = (await follower.until_end(60))[-1]
        async with a_caller(stage.scene.url) as second:
            await second.ask(body, correlation_id=asked)
            again = (await second.until_end(30))[-1]
    stage.note("charged calls", stage.calls())
    stage.must(copy["kind"] == "result", f"the topic hears the result, not {copy.get('code')}")
    stage.must(again.get("response") == copy.get("response"), "asking again gets the same answer")
    stage.must(stage.calls() == 1, f"one call is charged, not {stage.calls()}")


@entry(
    23,
    "a reader never reads, and its queue holds three replies",
    "its call takes no longer, its answer is told on the topic as degraded, others never notice",
)
async def reader_that_never_reads(stage: Stage) -> None:
    stage.scene.simulator.inject(SLOW)
    async with a_follower(stage.scene.url) as follower, a_caller(stage.scene.url) as caller:
        full = f"{REPLY_PREFIX}acme.full"
        await caller.channel.declare_queue(
            full, durable=True, arguments={"x-max-length": 3, "x-overflow": "reject-publish"}
        )
        began = stage.now()
        async with stage.load():
            asked = await caller.ask(ask(5), reply_to=full)
            await stage.scene.simulator.log.wait_for(lambda event: event.kind == "charged", within=30)
            while (end := await follower.next(90))["kind"] != "result" or end["correlation_id"] != asked:
                pass
        stage.note("told on the topic after", f"{stage.now() - began:.1f} s")
        await caller.channel.queue_delete(full)
    stage.must(end["degraded"], "the answer says that chunks were lost")
    took_s = end["timings"]["upstream_ms"] / 1000
    stage.note("its call", f"{took_s:.1f} s")
    stage.must(took_s < 20, f"its call is not held up, but took {took_s:.1f} s")
    report = await stage.report()
    stage.must(not report.degraded, f"nobody else's answer is degraded, not {report.degraded}")


@entry(
    24,
    "the reader's connections are reset every 2 s while answers stream",
    "the same queue goes on: no gap, no degraded answer, every call paid once",
)
async def reader_reconnects(stage: Stage) -> None:
    async with stage.load():
        for _ in range(5):
            await asyncio.sleep(2)
            stage.near.reset()
        stage.mended()
    report = await stage.report()
    stage.must(not report.degraded, f"no answer is degraded, not {report.degraded}")
    await stage.paid_once()


@entry(
    60,
    "the reply queue refuses chunks in mid-answer, and takes others after them",
    "no gap that the answer does not name as degraded",
    within_s=90,
)
async def chunks_refused(stage: Stage) -> None:
    broker, vhost = stage.scene.broker, vhost_of(stage.scene.url)
    rule = '{"max-length":5,"overflow":"reject-publish"}'
    pattern = f"^{REPLY_PREFIX}chaos"
    await broker.ctl("set_policy", "--vhost", vhost, "few", pattern, rule, "--apply-to", "queues")
    async with stage.load(rate=2 * stage.load_of.rate):
        for _ in range(3):
            stage.near.blackhole()
            await asyncio.sleep(5)
            await stage.near.heal()
            await asyncio.sleep(0.5)
        await broker.ctl("clear_policy", "--vhost", vhost, "few")
        stage.mended()
    report = await stage.report()
    stage.note("degraded", report.degraded)
    stage.must(report.degraded > 0, "chunks were refused: else nothing was tried")


async def some_text(caller: Caller) -> None:
    seen = 0
    while seen < 3:
        seen += (await caller.next(30))["kind"] == "chunk"
