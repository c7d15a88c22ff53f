"""The Flask and Django examples, under a forking server, against a real broker and worker."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from fleet_simulator import expected_text
from harness import replies as wire
from harness.house import a_house
from harness.scripted_worker import Asked, scripted_worker
from harness.stages import cancels
from harness.waiting import until
from harness.web import events_of, served

pytestmark = pytest.mark.sockets

EXAMPLES = Path(__file__).parents[3] / "services/client/examples"
QUESTION = "Tell me of the sea"
applications = pytest.mark.parametrize("application", ["flask_app:app", "django_app:application"])


@applications
async def test_a_view_streams_the_answer(
    application: str, fleet_vhost: str, private_environ: Mapping[str, str]
) -> None:
    environ = {**private_environ, "AMQP_URL": fleet_vhost}
    body = {"model": "deepseek-flash", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
    _, expected = expected_text(body)
    async with a_house(fleet_vhost) as house, served(EXAMPLES, application, environ) as web:
        answers = await asyncio.gather(*(web.get("/ask", params={"q": QUESTION}) for _ in range(8)))
        assert (await web.get("/ask")).status_code == 400
        calls = house.simulator.log.events(kind="admitted")
    assert {answer.headers["content-type"].partition(";")[0] for answer in answers} == {"text/event-stream"}
    for answer in answers:
        events = events_of(answer.text)
        assert "".join(text for kind, text in events if kind == "text") == expected
        assert events[-1] == ("done", "")
    assert len(calls) == 8


@applications
async def test_a_view_tells_the_page_of_a_restart_and_of_a_failure(
    application: str, fleet_vhost: str, private_environ: Mapping[str, str]
) -> None:
    async def script(asked: Asked) -> None:
        if asked.body["messages"][0]["content"] == "fail":
            await asked.say(wire.failure(asked.id, "rate_limited"))
            return
        await asked.say(wire.chunk(asked.id, 0, "wro\n"), wire.restarted(asked.id, 2, "r2"))
        await asked.say(wire.chunk(asked.id, 0, "right", attempt=2, run="r2"))
        await asked.say(wire.result(asked.id, "right", attempt=2, last_seq=0))

    environ = {**private_environ, "AMQP_URL": fleet_vhost}
    async with scripted_worker(fleet_vhost, script), served(EXAMPLES, application, environ) as web:
        restarted = events_of((await web.get("/ask", params={"q": "hi"})).text)
        failed = events_of((await web.get("/ask", params={"q": "fail"})).text)
    assert restarted[-3:] == [("restarted", ""), ("text", "right"), ("done", "")]
    assert failed == [("failed", "rate_limited")]


@applications
async def test_a_browser_that_goes_away_cancels_the_request(
    application: str, fleet_vhost: str, private_environ: Mapping[str, str]
) -> None:
    gone = asyncio.Event()

    async def script(asked: Asked) -> None:
        seq = 0
        while not gone.is_set():
            await asked.say(wire.chunk(asked.id, seq, f"{seq} "))
            seq += 1
            await asyncio.sleep(0.02)

    environ = {**private_environ, "AMQP_URL": fleet_vhost}
    async with (
        scripted_worker(fleet_vhost, script) as worker,
        cancels(fleet_vhost) as heard,
        served(EXAMPLES, application, environ) as web,
    ):
        async with web.stream("GET", "/ask", params={"q": "count"}) as answer:
            async for _ in answer.aiter_lines():
                break
        await until(lambda: [each.correlation_id for each in heard] == [worker.asked[0].id])
        gone.set()
