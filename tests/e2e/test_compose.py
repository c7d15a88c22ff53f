"""docker-compose.yml as it is deployed: built, scaled, broken and taken down, where an engine answers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from fleet_simulator.answers import expected_text
from harness.caller import Caller, a_caller, text_of
from harness.compose import Composed, composed

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(900)]

PATIENCE_S = 60.0
WORKERS = 4
BODY: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "What is a lighthouse for?"}],
    "stream": True,
}
# Slow enough to be met in the middle.
SLOWLY: dict[str, Any] = {
    "kind": "pace",
    "tokens_per_second": 40,
    "match": {"prompt": "lighthouse"},
    "times": 1,
}


async def asked_and_streaming(fleet: Composed, caller: Caller) -> list[dict[str, Any]]:
    """The replies of a slow request up to its fifth chunk."""
    await fleet.inject(**SLOWLY)
    await caller.ask(BODY)
    replies: list[dict[str, Any]] = []
    while sum(reply["kind"] == "chunk" for reply in replies) < 5:
        replies.append(await caller.next(PATIENCE_S))
    return replies


async def workers_that_answer(caller: Caller, *, requests: int) -> set[str]:
    """The host names of the workers that answered so many requests at once, all of them rightly."""
    bodies = {await caller.ask(body): body for body in (a_question(number) for number in range(requests))}
    replies: list[dict[str, Any]] = []
    async with asyncio.timeout(PATIENCE_S):
        while sum(reply["kind"] == "result" for reply in replies) < requests:
            replies.append(await caller.next(PATIENCE_S))
    for identity, body in bodies.items():
        of_this_one = [reply for reply in replies if reply["correlation_id"] == identity]
        assert text_of(of_this_one) == expected_text(body)[1]
    return {reply["worker"].rpartition("-")[0] for reply in replies if reply["kind"] == "accepted"}


def a_question(number: int) -> dict[str, Any]:
    return {**BODY, "messages": [{"role": "user", "content": f"What is {number} plus one?"}]}


async def test_four_worker_containers_answer_also_when_one_is_killed_and_leave_nothing(
    private_environ: Mapping[str, str],
):
    async with composed(private_environ) as fleet:
        await fleet.up(workers=1)
        assert len(await fleet.workers()) == 1
        await fleet.up(workers=WORKERS)
        workers = set(await fleet.workers())
        assert len(workers) == WORKERS
        async with a_caller(await fleet.amqp_url()) as caller:
            assert await workers_that_answer(caller, requests=4 * WORKERS) == workers

            before = await asked_and_streaming(fleet, caller)
            victim = before[0]["worker"].rpartition("-")[0]
            await fleet.kill(victim)
            after = await caller.until_end(PATIENCE_S)
            restart = next(place for place, reply in enumerate(after) if reply["kind"] == "restarted")
            assert text_of(after[restart:]) == expected_text(BODY)[1]
            assert (after[-1]["kind"], after[-1]["attempt"]) == ("result", 2)

            assert await workers_that_answer(caller, requests=4 * WORKERS) == workers - {victim}
        assert set(await fleet.workers()) == workers - {victim}
    assert await fleet.left() == []


async def test_running_streams_end_before_a_worker_container_is_stopped_or_replaced(
    private_environ: Mapping[str, str],
):
    async with composed(private_environ) as fleet:
        await fleet.up(workers=1)
        (first,) = await fleet.workers()
        async with a_caller(await fleet.amqp_url()) as caller:
            begun = await asked_and_streaming(fleet, caller)
            rest, _ = await asyncio.gather(
                caller.until_end(PATIENCE_S), fleet.up(workers=1, FLEET_CONCURRENCY="50")
            )
            assert_whole(begun + rest)
            (second,) = await fleet.workers()
            assert second != first

            begun = await asked_and_streaming(fleet, caller)
            assert begun[0]["worker"].startswith(second)
            rest, status = await asyncio.gather(caller.until_end(PATIENCE_S), fleet.stop(second))
            assert_whole(begun + rest)
            assert status == 0
    assert await fleet.left() == []


def assert_whole(replies: list[dict[str, Any]]) -> None:
    assert text_of(replies) == expected_text(BODY)[1]
    assert (replies[-1]["kind"], replies[-1]["attempt"]) == ("result", 1)
