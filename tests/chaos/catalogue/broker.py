"""Faults of the broker: restarted, killed, short of memory or disk, its queues full, deleted and misused."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aio_pika

from chaos.asks import ask
from chaos.catalogue.entry import entry
from chaos.catalogue.looking import every_worker_consumes, messages_in, vhost_of
from chaos.catalogue.stage import Stage
from fleet_chassis.topology import apply
from fleet_contracts.topology import DEAD, DEAD_RAW, REQUESTS, RESULTS
from fleet_simulator.faults import Fault, Kind
from harness.waiting import until

SLOW = Fault(Kind.PACE, tokens_per_second=4)
MOST_TAKEN = 60


@entry(8, "stop_app and start_app of the only node", "calls go on meanwhile: each is paid once")
async def broker_app_stopped(stage: Stage) -> None:
    async with stage.load():
        await asyncio.sleep(4)
        await stage.scene.broker.stop_app()
        await asyncio.sleep(3)
        await stage.scene.broker.start_app()
        stage.mended()
    await stage.paid_once()


@entry(9, "kill -9 of the broker, and a start", "what was confirmed is answered; calls are paid once")
async def broker_killed(stage: Stage) -> None:
    async with stage.load():
        await asyncio.sleep(4)
        await stage.scene.broker.kill()
        await asyncio.sleep(2)
        await stage.scene.broker.restart()
        stage.mended()
    await stage.paid_once()


@entry(
    18,
    "a memory alarm of 15 s while answers stream",
    "calls go on, publishes resume, each request has one end and is paid once",
)
async def memory_alarm(stage: Stage) -> None:
    broker = stage.scene.broker
    async with stage.load(), _alarm(stage, "memory"):
        await broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
        try:
            await asyncio.sleep(15)
        finally:
            await broker.ctl("set_vm_memory_high_watermark", "0.4")
        stage.mended()
    await stage.paid_once()


@entry(19, "a disk alarm of 15 s", "as in a memory alarm")
async def disk_alarm(stage: Stage) -> None:
    broker = stage.scene.broker
    async with stage.load(), _alarm(stage, "disk"):
        await broker.ctl("set_disk_free_limit", str(10**14))
        try:
            await asyncio.sleep(15)
        finally:
            await broker.ctl("set_disk_free_limit", "50MB")
        stage.mended()
    await stage.paid_once()


@asynccontextmanager
async def _alarm(stage: Stage, what: str) -> AsyncGenerator[None]:
    await asyncio.sleep(4)
    before = stage.caller.in_vain
    yield
    stage.note("publishes in vain", stage.caller.in_vain - before)
    stage.must(stage.caller.in_vain > before, f"the {what} alarm held publishes back: else nothing was tried")


@entry(
    20,
    "the queue for requests is full (20 at most, workers with one call at a time)",
    "publishes are refused, not dropped; every confirmed one is answered",
    settings={"FLEET_CONCURRENCY": "1"},
    within_s=120,
)
async def queue_full(stage: Stage) -> None:
    broker, vhost = stage.scene.broker, vhost_of(stage.scene.url)
    rule = '{"max-length":20,"overflow":"reject-publish"}'
    await broker.ctl("set_policy", "--vhost", vhost, "tiny", f"^{REQUESTS}$", rule, "--apply-to", "queues")
    async with stage.load(8):
        await asyncio.sleep(7)
        stage.note("at most in the queue", await messages_in(stage, REQUESTS))
        stage.must(stage.caller.in_vain > 0, "publishes were refused: else nothing was tried")
        stage.note("publishes in vain", stage.caller.in_vain)
        await broker.ctl("clear_policy", "--vhost", vhost, "tiny")
        stage.mended()
    await stage.paid_once()


@entry(
    21,
    "the queue for requests is deleted under load, and declared anew",
    "only what lay in it is lost; workers say that they don't consume, and do again when it is there",
    may={"lost"},
)
async def request_queue_deleted(stage: Stage) -> None:
    scene = stage.scene
    async with stage.load():
        await asyncio.sleep(4)
        lay = await messages_in(stage, REQUESTS)
        await scene.broker.ctl("delete_queue", "--vhost", vhost_of(scene.url), REQUESTS)
        await asyncio.sleep(3)
        await apply(scene.url)
        stage.mended()
        there = stage.now()
    report = await stage.report()
    late = {event.request for event in stage.seen("confirmed") if event.at > there + 1}
    stage.must(late <= set(stage.caller.heard), "what comes when it is there again is answered")
    taken = round(4 * stage.load_of.rate)
    stage.note("in the queue", lay)
    stage.must(len(report.lost) <= lay + taken, f"{len(report.lost)} lost with {lay} in the queue")
    await every_worker_consumes(stage)


@entry(
    25,
    "the exchange for results is deleted, and declared anew",
    "who has a reply queue hears no difference: each request is answered and paid once",
)
async def results_exchange_deleted(stage: Stage) -> None:
    async with stage.load(), await aio_pika.connect(stage.scene.url) as connection:
        await asyncio.sleep(4)
        await (await connection.channel()).exchange_delete(RESULTS)
        await asyncio.sleep(5)
        await apply(stage.scene.url)
        stage.mended()
    await stage.paid_once()


@entry(
    26,
    "the broker takes deliveries back after 6 s, and calls last longer",
    "the calls go on, and each is paid once: no delivery goes round for ever",
)
async def consumer_timeout(stage: Stage) -> None:
    await stage.scene.broker.evaluate(
        "application:set_env(rabbit, consumer_timeout, 6000), "
        "application:set_env(rabbit, channel_tick_interval, 2000)."
    )
    for member in stage.scene.crew.members:
        member.broker.reset()  # channels read both when they are opened
    stage.scene.simulator.inject(SLOW)
    async with stage.load(8, rate=2):
        pass
    await stage.caller.until_answered(100)
    stage.mended()
    await stage.paid_once()
    report = await stage.report()
    stage.note("told again", report.repeated)
    stage.must(report.repeated > 0, "deliveries were taken back: else nothing was tried")
    await stage.all_have_results()


@entry(
    27,
    "a request is taken and dropped again and again, until the broker gives it up",
    "it fails as crash_loop, told by the janitor, and nothing was called",
    workers=0,
    may={"dead letters that no failure explains"},
)
async def delivery_limit(stage: Stage) -> None:
    scene, taken = stage.scene, 0
    rule = '{"delivery-limit":5}'
    vhost = vhost_of(scene.url)
    await scene.broker.ctl(
        "set_policy", "--vhost", vhost, "few", f"^{REQUESTS}$", rule, "--apply-to", "queues"
    )
    await stage.caller.ask("dropped", ask(1))
    while taken < MOST_TAKEN:
        async with await aio_pika.connect(scene.url) as connection:
            channel = await connection.channel()
            dead = await channel.declare_queue(DEAD_RAW, passive=True)
            if dead.declaration_result.message_count:
                break
            queue = await channel.get_queue(REQUESTS, ensure=False)
            taken += await queue.get(fail=False, timeout=5) is not None
    stage.note("taken", taken)
    await scene.crew.start()
    await until(lambda: "dropped" in stage.caller.heard, deadline_s=40)
    end = stage.caller.heard["dropped"][0]
    stage.must(end.get("code") == "crash_loop", f"it fails as crash_loop, not {end.get('code')}")
    stage.must(stage.calls("arrived") == 0, "the upstream was not called")


@entry(
    28,
    "requests expire in the queue while no worker runs",
    "each fails as deadline_exceeded, and nothing was called",
    workers=0,
    may={"dead letters that no failure explains"},
)
async def expired_in_queue(stage: Stage) -> None:
    for number in range(10):
        await stage.caller.ask(f"expired-{number}", ask(number), expiration=0.5)
    await asyncio.sleep(1.5)
    await stage.scene.crew.start()
    stage.mended()
    report = await stage.report()
    stage.must(report.failures.get("deadline_exceeded") == 10, f"ten deadlines, not {dict(report.failures)}")
    stage.must(stage.calls("arrived") == 0, "the upstream was not called")


@entry(
    29,
    "the exchange for dead letters is gone while requests expire, and declared anew",
    "none is lost: each fails as deadline_exceeded when the exchange is back",
    workers=0,
    may={"dead letters that no failure explains"},
    within_s=240,  # RabbitMQ itself looks for it again after three minutes
)
async def dead_letter_target_missing(stage: Stage) -> None:
    async with await aio_pika.connect(stage.scene.url) as connection:
        await (await connection.channel()).exchange_delete(DEAD)
    for number in range(10):
        await stage.caller.ask(f"expired-{number}", ask(number), expiration=0.5)
    await asyncio.sleep(3)
    await stage.scene.crew.start()
    await apply(stage.scene.url)
    stage.mended()
    await stage.caller.until_answered(240)
    report = await stage.report()
    stage.must(report.failures.get("deadline_exceeded") == 10, f"ten deadlines, not {dict(report.failures)}")
