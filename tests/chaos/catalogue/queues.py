"""Faults of queues and exchanges: full, deleted, and what a broker takes back, gives up and lets expire."""

import asyncio

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
TIMEOUT_BY_QUEUE = (3, 12)
"""The release from which queues and policies say how long a consumer may hold a delivery."""


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
    await _take_back_after(stage, 6000)
    for member in stage.scene.crew.members:
        member.broker.reset()  # what channels and consumers go by is read when they begin
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


async def _take_back_after(stage: Stage, timeout_ms: int) -> None:
    broker = stage.scene.broker
    told = {"consumer_timeout": timeout_ms, "channel_tick_interval": timeout_ms // 3}
    await broker.evaluate(
        ", ".join(f"application:set_env(rabbit, {name}, {ms})" for name, ms in told.items()) + "."
    )
    if _release(broker.version) >= TIMEOUT_BY_QUEUE:
        # The fleet's queues name one of their own, and the smaller one of queue and policy is the one.
        rule = f'{{"consumer-timeout":{timeout_ms}}}'
        await broker.ctl(
            *("set_policy", "--vhost", vhost_of(stage.scene.url), "soon", f"^{REQUESTS}$", rule),
            *("--apply-to", "queues"),
        )


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


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
