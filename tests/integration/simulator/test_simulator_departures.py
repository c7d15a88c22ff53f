"""Clients that leave in the middle of an answer."""

import asyncio
import json

import pytest

from fleet_simulator.config import DEFAULT_KEY, SimulatorConfig
from fleet_simulator.server import serve

pytestmark = pytest.mark.sockets

BODY = json.dumps(
    {"model": "deepseek-flash", "stream": True, "messages": [{"role": "user", "content": "Go on and on"}]}
).encode()
REQUEST = (
    b"POST /chat/completions HTTP/1.1\r\nHost: simulator\r\nAuthorization: Bearer %s\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
) % (DEFAULT_KEY.encode(), len(BODY), BODY)


async def test_a_client_that_leaves_mid_stream_is_noted_and_is_no_error_of_the_server(
    caplog: pytest.LogCaptureFixture,
):
    async with serve(SimulatorConfig().at_once()) as running:
        host, _, port = running.base_url.removeprefix("http://").partition(":")
        for _ in range(20):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(REQUEST)
            await reader.readuntil(b"reasoning_content")
            writer.transport.abort()
        for call in range(20):
            await running.log.wait_for(lambda event, n=call + 1: event.kind == "closed" and event.call == n)
        reasons = [event.fields["reason"] for event in running.log.events(kind="closed")]
        assert running.limits.in_flight("default", "deepseek-flash") == 0
    assert set(reasons) <= {"client_gone", "done"}
    assert caplog.records == []
