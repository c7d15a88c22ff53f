"""The synchronous client in programs that end, are interrupted, and fork."""

import asyncio
import os
import signal
import sys

import aio_pika
import pytest

from harness import replies as wire
from harness.programs import run
from harness.scripted_worker import Asked, scripted_worker
from harness.stages import cancels
from harness.waiting import until

pytestmark = pytest.mark.sockets

PATIENCE_S = 30
PROGRAM = """
import os, sys
from fleet_client.sync import Fleet
fleet = Fleet(os.environ["AMQP_URL"], tenant="billing")
"""


async def echo(asked: Asked) -> None:
    text = asked.body["messages"][-1]["content"]
    words = [f"{text}.{number} " for number in range(20)]
    if asked.body.get("stream"):
        await asked.say(*(wire.chunk(asked.id, seq, word) for seq, word in enumerate(words)))
    await asked.say(wire.result(asked.id, "".join(words), last_seq=19))


async def is_there(url: str, queue: str) -> bool:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        try:
            await channel.declare_queue(queue, passive=True)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        return True


async def test_a_program_that_just_ends_leaves_nothing_behind(fleet_vhost: str) -> None:
    async with scripted_worker(fleet_vhost, echo) as worker:
        ended = await run(PROGRAM + "print(fleet.complete('hi').text)", AMQP_URL=fleet_vhost)
        [asked] = worker.asked
        assert (ended.status, ended.complaint) == (0, "")
        assert ended.out.startswith("hi.0 hi.1 ")
        assert not await is_there(fleet_vhost, asked.reply_to)


async def test_a_program_that_ends_in_the_middle_of_a_stream_ends_cleanly(fleet_vhost: str) -> None:
    program = PROGRAM + "events = fleet.stream('hi', id='half')\nprint(next(events))"
    async with scripted_worker(fleet_vhost, lambda asked: asked.say(wire.chunk(asked.id, 0, "a"))):
        ended = await run(program, AMQP_URL=fleet_vhost)
    assert (ended.status, ended.complaint) == (0, "")
    assert ended.out == "Text(text='a')\n"


FORK = (
    PROGRAM
    + """
import threading
print(fleet.complete("parent").text[:9], flush=True)
events = fleet.stream("before")
next(events)
children = []
for number in range(3):
    child = os.fork()
    if child == 0:
        threads = [thread.name for thread in threading.enumerate()]
        assert threads == ["MainThread"], threads
        texts = []
        ask = lambda word: texts.append(fleet.complete(word).text)
        asking = [threading.Thread(target=ask, args=(f"c{number}-{n}",)) for n in range(4)]
        for thread in asking: thread.start()
        for thread in asking: thread.join()
        assert sorted(text.split(".")[0] for text in texts) == [f"c{number}-{n}" for n in range(4)], texts
        streamed = "".join(getattr(event, "text", "") for event in fleet.stream(f"s{number}"))
        assert streamed.startswith(f"s{number}.0 "), streamed
        try:
            next(events)
        except Exception as error:
            assert type(error).__name__ == "FleetClosed", error
        else:
            raise AssertionError("the parent's stream went on in the child")
        sys.exit(0)
    children.append(child)
rest = "".join(getattr(event, "text", "") for event in events)
for child in children:
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
print(len(rest), fleet.complete("after").text[:8], flush=True)
"""
)


async def test_every_forked_process_has_a_connection_of_its_own_and_the_parent_keeps_its(
    fleet_vhost: str,
) -> None:
    async with scripted_worker(fleet_vhost, echo) as worker:
        ended = await run(FORK, AMQP_URL=fleet_vhost)
    assert ended.complaint == ""
    assert ended.status == 0
    parent, rest = ended.out.splitlines()
    assert parent == "parent.0 "
    assert rest.endswith(" after.0 ")
    assert len({asked.reply_to for asked in worker.asked}) == 4
    assert len(worker.asked) == 3 + 3 * 5


INTERRUPTED = PROGRAM + "print('asking', flush=True)\nfleet.complete('hi', id='unwanted')"


async def test_an_interrupt_cancels_the_call_that_is_waited_for(fleet_vhost: str) -> None:
    async with scripted_worker(fleet_vhost) as worker, cancels(fleet_vhost) as heard:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            INTERRUPTED,
            env={"AMQP_URL": fleet_vhost},
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        await worker.until_asked()
        os.kill(process.pid, signal.SIGINT)
        async with asyncio.timeout(PATIENCE_S):
            _, complaint = await process.communicate()
        await until(lambda: [message.correlation_id for message in heard] == ["unwanted"])
    assert complaint.decode().rstrip().endswith("KeyboardInterrupt")
