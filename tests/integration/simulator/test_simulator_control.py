"""The control surface over HTTP, and the simulator as a process of its own."""

import asyncio
import signal
import sys

import httpx
import orjson
import pytest

from fleet_simulator import DEFAULT_KEY, Running, expected_text
from harness.sse import a_chat, chunks_in, text_in


async def test_faults_are_added_listed_and_taken_away(simulator: Running, http: httpx.AsyncClient) -> None:
    added = await http.post("/_simulator/faults", json={"kind": "status", "status": 503, "times": 5})
    assert added.status_code == 201
    assert (await http.post("/chat/completions", json=a_chat())).status_code == 503
    (listed,) = (await http.get("/_simulator/faults")).json()
    assert (listed["id"], listed["fired"]) == (added.json()["id"], 1)
    assert (await http.delete(f"/_simulator/faults/{listed['id']}")).status_code == 204
    assert (await http.post("/chat/completions", json=a_chat())).status_code == 200
    await http.post("/_simulator/faults", json={"kind": "reset"})
    await http.delete("/_simulator/faults")
    assert simulator.faults.armed() == []


async def test_a_bad_fault_is_refused_in_words(http: httpx.AsyncClient) -> None:
    reply = await http.post("/_simulator/faults", json={"kind": "explode"})
    assert reply.status_code == 400
    assert "use one of" in reply.json()["error"]


async def test_the_log_is_read_in_parts(http: httpx.AsyncClient) -> None:
    await http.get("/models")
    first = await http.get("/_simulator/log")
    events = [orjson.loads(line) for line in first.text.splitlines()]
    assert [event["event"] for event in events] == ["arrived", "authorized", "closed"]
    await http.get("/models")
    second = await http.get("/_simulator/log", params={"since": first.headers["x-next-offset"]})
    assert [orjson.loads(line)["offset"] for line in second.text.splitlines()] == [3, 4, 5]


async def test_limits_change_while_the_simulator_runs(http: httpx.AsyncClient) -> None:
    await http.post("/_simulator/config", json={"limits": {"deepseek-flash": 0}})
    refused = await http.post("/chat/completions", json=a_chat())
    assert (refused.status_code, "limit of 0" in refused.text) == (429, True)
    changed = await http.post("/_simulator/config", json={"timing": {"tokens": 1}})
    assert (changed.status_code, "use" in changed.json()["error"]) == (400, True)


async def test_the_state_shows_calls_in_flight(http: httpx.AsyncClient) -> None:
    await http.post("/chat/completions", json=a_chat())
    (pool,) = (await http.get("/_simulator/state")).json()
    assert (pool["model"], pool["in_flight"], pool["peak"], pool["limit"]) == ("deepseek-flash", 0, 1, 2500)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_prints_its_address_answers_and_ends_when_told(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_simulator", "--speed", "1000", "--key", "team=sk-team"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            url = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(base_url=url) as client:
            refused = await _ask(client, DEFAULT_KEY)
            reply = await _ask(client, "sk-team")
        assert refused.status_code == 401
        assert text_in(chunks_in(reply.text)) == expected_text(a_chat())
    finally:
        process.send_signal(number)
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_a_port_that_is_taken_ends_the_process_with_one_sentence(simulator: Running) -> None:
    port = simulator.base_url.rpartition(":")[2]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_simulator", "--port", port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(20):
        out, errors = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert errors.decode().startswith(f"fleet_simulator: cannot listen on 127.0.0.1:{port}: ")
    assert errors.count(b"\n") == 1


async def _ask(client: httpx.AsyncClient, key: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return await client.post("/chat/completions", json=a_chat(), headers=headers)
