"""What `/metrics` of a worker shows after requests went through it."""

from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from fleet_simulator.faults import Fault, Kind, Match
from fleet_worker.showing import every_metric
from harness.house import a_house
from harness.shown import until_shown, value

pytestmark = pytest.mark.sockets

STREAMED: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Tell me of the sea"}],
    "thinking": {"type": "disabled"},
    "stream": True,
}


async def test_a_worker_shows_the_printed_metrics_and_no_other(fleet_vhost: str, store_url: str):
    async with a_house(fleet_vhost, REDIS_URL=store_url) as house, httpx.AsyncClient() as http:
        page = (await http.get(f"{house.worker.health_url}/metrics")).text
    families = {family.name for family in text_string_to_metric_families(page)}
    # The library adds the time at which each counter began.
    assert {name for name in families if not name.endswith("_created")} == {
        one.name for one in every_metric()
    }


async def test_a_request_that_was_tried_twice_is_counted_once_with_two_attempts_and_one_bill(
    fleet_vhost: str,
):
    async with a_house(fleet_vhost, metrics_tenants=1) as house:
        house.simulator.inject(Fault(Kind.STATUS, match=Match(nth=1), status=503))
        await house.caller.ask(STREAMED, key="interactive.acme")
        replies = await house.caller.until_end()
        await house.caller.ask(STREAMED, key="interactive.second")
        await house.caller.until_end()
        samples = await until_shown(house, "fleet_deliveries_settled_total", 2, outcome="done")
    usage, model = replies[-1]["response"]["usage"], {"model": "deepseek-flash"}
    assert value(samples, "fleet_requests_ended_total", lane="interactive", outcome="result") == 2
    assert value(samples, "fleet_attempts_total", account="default") == 3
    assert value(samples, "fleet_attempts_failed_total", code="upstream_unavailable", **model) == 1
    assert value(samples, "fleet_attempts_per_request_sum") == 3
    assert value(samples, "fleet_billed_attempts_per_request_sum") == 2
    assert value(samples, "fleet_call_seconds_count", **model) == 3
    assert value(samples, "fleet_first_content_seconds_count", **model) == 2
    output = value(samples, "fleet_tokens_total", tenant="acme", kind="output", **model)
    assert output == usage["completion_tokens"]
    assert value(samples, "fleet_tokens_total", tenant="other", kind="output", **model) > 0
    assert value(samples, "fleet_spent_dollars_total", tenant="acme", **model) > 0
    assert value(samples, "fleet_chunks_total") >= len(replies) - 2
    assert value(samples, "fleet_ready") == 1
    assert value(samples, "fleet_requests_in_flight") == 0


async def test_no_label_names_a_request(fleet_vhost: str):
    async with a_house(fleet_vhost) as house, httpx.AsyncClient() as http:
        named = await house.caller.ask(STREAMED)
        await house.caller.until_end()
        page = (await http.get(f"{house.worker.health_url}/metrics")).text
    assert named not in page
