"""All of compose, as a newcomer starts it: one question is seen in traces, metrics and dashboards."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet_cli.stack.errors import StackError
from harness.compose import Composed, composed
from harness.until_told import until_told

pytestmark = [pytest.mark.sockets, pytest.mark.timeout(900)]

DASHBOARDS = sorted((Path(__file__).parents[2] / "deploy/grafana").glob("*.json"))
SCRAPED_S = 60.0
STEPS = {"claim", "wait for permit", "chat deepseek-flash", "commit"}
SHOWN = {
    "Workers ready",
    "Requests by outcome",
    "Delivery to terminal reply",
    "Upstream call",
    "Tokens",
    "Dollars an hour by tenant",
    "Versions",
}
"""Panels that an answered question is to be seen in."""


async def pulled(fleet: Composed) -> None:
    """Skips where the images of others can't be had."""
    try:
        await fleet.compose("pull", "--policy", "missing", "prometheus", "jaeger", "grafana", deadline_s=600)
    except StackError as why:
        pytest.skip(f"the images of Prometheus, Jaeger and Grafana can't be had here: {why}")


async def trace_of(jaeger: httpx.AsyncClient, correlation_id: str) -> dict[str, Any]:
    """The one trace of a request, once all of it has come."""
    tags = json.dumps({"messaging.message.conversation_id": correlation_id})
    asked = {"service": "deepseek-fleet-worker", "tags": tags, "limit": "20", "lookback": "1h"}

    async def whole() -> dict[str, Any] | None:
        traces = (await jaeger.get("/api/traces", params=asked)).json()["data"]
        return (
            traces[0] if traces and {span["operationName"] for span in traces[0]["spans"]} >= STEPS else None
        )

    return await until_told(whole, deadline_s=SCRAPED_S)


async def panels_with_data(prometheus: httpx.AsyncClient) -> set[str]:
    """The titles of the panels whose first query answers with something."""
    found: set[str] = set()
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            query = panel["targets"][0]["expr"].replace("$__rate_interval", "2m")
            said = (await prometheus.get("/api/v1/query", params={"query": query})).json()
            assert said["status"] == "success", (panel["title"], said)
            if any(series["value"][1] not in {"0", "NaN"} for series in said["data"]["result"]):
                found.add(panel["title"])
    return found


async def test_a_question_asked_of_compose_is_seen_in_its_trace_in_metrics_and_on_the_dashboards(
    private_environ: Mapping[str, str],
):
    async with composed(private_environ) as fleet:
        await pulled(fleet)
        await fleet.up("worker", "prometheus", "jaeger", "grafana", workers=2)
        asked = ("exec", "--no-TTY", "worker", "fleet", "ask", "Why is the sky blue?", "--id", "sky")
        assert await fleet.compose(*asked)
        status = await fleet.compose("exec", "--no-TTY", "worker", "fleet", "status")
        assert status.count(" ready ") == 2

        places = [await fleet.address(*place) for place in (("jaeger", 16686), ("prometheus", 9090))]
        async with (
            httpx.AsyncClient(base_url=f"http://{places[0]}") as jaeger,
            httpx.AsyncClient(base_url=f"http://{places[1]}") as prometheus,
        ):
            trace = await trace_of(jaeger, "sky")
            assert len({span["traceID"] for span in trace["spans"]}) == 1

            async def seen() -> bool | None:
                # A counter of a new tenant begins with its first request; only the next ones are a rate.
                await fleet.compose(*asked[:5], "And at night?")
                return await panels_with_data(prometheus) >= SHOWN or None

            await until_told(seen, deadline_s=2 * SCRAPED_S)
            silent = {"query": 'ALERTS{alertstate="firing"}'}
            assert (await prometheus.get("/api/v1/query", params=silent)).json()["data"]["result"] == []
        grafana = await fleet.address("grafana", 3000)
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://{grafana}/api/health")).status_code == 200
    assert await fleet.left() == []
