"""Many turns of many conversations, from many clients at once, while workers are killed.

Every history must be exactly what one patient user would have had, who asked each question when the answer to
the one before it was there. `FLEET_TEST_TALKS=500` has that many turns; by default it is a slice of that.
"""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fleet_client import Answer, Fleet, History
from fleet_simulator.answers import expected_text
from fleet_simulator.config import SimulatorConfig, Timing
from fleet_simulator.context import prompt_tokens
from fleet_simulator.server import Running, serve
from harness.processes import Fleet as Workers
from harness.processes import a_fleet
from harness.waiting import until

TURNS = int(os.environ.get("FLEET_TEST_TALKS", "30"))  # noqa: TID251 - the switch of this test
TURNS_EACH = 10 if TURNS >= 100 else 5
CLIENTS = 8 if TURNS >= 100 else 3
WORKERS = 4 if TURNS >= 100 else 2
ASKING_AT_ONCE = 2
KILL_EVERY_S = 1.5
PATIENCE_S = 600.0 if TURNS >= 100 else 100.0
ON: dict[str, Any] = {"thinking": False, "max_tokens": 20}
PACED = SimulatorConfig(
    timing=Timing(headers=0.02, first_token=0.02, tokens_per_second=30 if TURNS >= 100 else 400)
)

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(PATIENCE_S + 60)]


@dataclass
class Talk:
    """One conversation, as those who took part in it remember it."""

    id: str
    answers: dict[str, Answer] = field(default_factory=dict[str, Answer])
    open: set[str] = field(default_factory=set[str])
    """The turns that were asked and are not answered yet."""


@asynccontextmanager
async def clients(url: str, count: int) -> AsyncGenerator[list[Fleet]]:
    async with AsyncExitStack() as parts:
        yield [
            await parts.enter_async_context(Fleet(url, tenant="acme", timeout_s=PATIENCE_S))
            for _ in range(count)
        ]


async def take_part(talk: Talk, fleets: list[Fleet], who: int, chance: random.Random) -> None:
    """One of those who talk: asks from another process each time, waits for each answer, repeats itself."""
    for number in range(who, TURNS_EACH, ASKING_AT_ONCE):
        question = f"{talk.id}, question {number}: {chance.getrandbits(64):x}"
        # Now and then it is published twice, by two processes.
        asked = chance.sample(fleets, 2 if chance.random() < 0.2 else 1)
        turn = f"{talk.id}-{number}"
        talk.open.add(turn)
        first, *others = await asyncio.gather(
            *(one.conversation(talk.id, **ON).send(question, id=turn) for one in asked)
        )
        talk.open.discard(turn)
        assert all((other.text, other.conversation) == (first.text, first.conversation) for other in others)
        talk.answers[question] = first


async def kill_now_and_then(
    workers: Workers, killed: list[str], chance: random.Random, talks: list[Talk]
) -> None:
    """Kill one of the workers, start another in its place, again and again; one is always left.

    No turn loses its worker more than once, however long its answer takes: three losses would end it.
    """
    alive = list(workers.workers)

    async def replace() -> None:
        alive.append(await workers.start_worker())

    async with asyncio.TaskGroup() as starting:
        await until(lambda: any(talk.answers for talk in talks), deadline_s=PATIENCE_S)
        while True:
            if len(alive) > 1:
                victim = alive.pop(chance.randrange(len(alive)))
                await victim.kill()
                killed.append(victim.name)
                starting.create_task(replace())
                lost = _open(talks)
                await until(lambda: not lost & _open(talks), deadline_s=PATIENCE_S)  # noqa: B023 - awaited here
            await asyncio.sleep(KILL_EVERY_S)


def _open(talks: list[Talk]) -> set[str]:
    return {turn for talk in talks for turn in talk.open}


def check(talk: Talk, history: History, kept: list[dict[str, Any]]) -> None:
    """As a patient user would have it: each question once, each answer the one to all before it."""
    questions, answers = kept[::2], kept[1::2]
    assert Counter(message["content"] for message in questions) == Counter(list(talk.answers))
    assert history.version == len(questions) == TURNS_EACH
    for place, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        thinking = {"type": "disabled"}
        before = kept[: 2 * place + 1]
        body = {"model": "deepseek-flash", **ON, "thinking": thinking, "messages": before}
        told = talk.answers[question["content"]]
        assert told.conversation is not None
        assert told.conversation.version == place + 1
        assert answer["content"] == told.text == expected_text(body)[1]
        assert told.usage is not None
        assert told.usage.prompt_tokens == prompt_tokens(before, [])


async def test_every_history_is_what_one_patient_user_would_have_had_whatever_is_killed(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    chance = random.Random(11)
    talks = [Talk(f"talk-{number}") for number in range(TURNS // TURNS_EACH)]
    killed: list[str] = []
    async with (
        serve(PACED) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path, REDIS_URL=store_url) as workers,
        clients(fleet_vhost, CLIENTS) as fleets,
    ):
        await asyncio.gather(*(workers.start_worker() for _ in range(WORKERS)))
        began = time.monotonic()
        killing = asyncio.create_task(kill_now_and_then(workers, killed, chance, talks))
        try:
            async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as talking:
                for talk in talks:
                    for who in range(ASKING_AT_ONCE):
                        talking.create_task(take_part(talk, fleets, who, random.Random(f"{talk.id}/{who}")))
        finally:
            killing.cancel()
            await asyncio.gather(killing, return_exceptions=True)
        took_s = time.monotonic() - began
        for talk in talks:
            history = await fleets[0].conversation(talk.id).history()
            check(talk, history, history.messages)
        calls = calls_of(simulator)
    attempts = sum(answer.attempts for talk in talks for answer in talk.answers.values())
    print(  # noqa: T201 - with -s, the figures of a run
        f"{TURNS} turns of {len(talks)} conversations from {CLIENTS} clients in {took_s:.1f} s, "
        f"{len(killed)} workers killed, {calls} calls, {attempts} attempts"
    )
    assert killed


async def test_a_worker_that_dies_between_append_and_commit_has_its_answer_told_by_the_next_one(
    fleet_vhost: str, store_url: str, tmp_path: Path
):
    async with (
        serve(PACED) as simulator,
        a_fleet(fleet_vhost, simulator.base_url, tmp_path, REDIS_URL=store_url) as workers,
        clients(fleet_vhost, 1) as (fleet,),
    ):
        doomed = await workers.start_failing_worker("earned", tmp_path / "died")
        talk = fleet.conversation("cut off", **ON)
        asking = asyncio.create_task(talk.send("What is a lighthouse for?"))
        async with asyncio.timeout(60):
            await doomed.wait()
        await workers.start_worker()
        answer = await asking
        await talk.send("And at day?")
        history = await talk.history()
        assert calls_of(simulator) == 2
    assert (answer.attempts, answer.conversation and answer.conversation.version) == (1, 1)
    assert [message["role"] for message in history.messages] == ["user", "assistant"] * 2
    assert history.messages[1]["content"] == answer.text


def calls_of(simulator: Running) -> int:
    return len(simulator.log.events(kind="admitted"))
