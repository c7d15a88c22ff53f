"""The alert rules by promtool, and every query on a real Prometheus that watches a real worker."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from fleet_cli.stack.child import Child
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.ports import free_ports
from harness.house import a_house
from harness.prometheus import prometheus_programs

pytestmark = pytest.mark.sockets

DEPLOY = Path(__file__).parents[2] / "deploy"
READY_S = 30.0
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
ASKED: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "Why?"}],
    "stream": True,
}
SHOWN_WITHOUT_TROUBLE = (
    "sum(fleet_ready)",
    "sum(fleet_requests_ended_total)",
    "fleet_requests_capacity",
    "sum by (tenant) (fleet_tokens_total)",
    "sum by (model) (fleet_call_seconds_count)",
    "sum(fleet_spent_dollars_total)",
    "count by (version) (fleet_worker_info)",
)


@pytest.fixture(scope="module")
def programs(private_environ: Mapping[str, str]) -> dict[str, Path]:
    try:
        return asyncio.run(prometheus_programs(private_environ))
    except (UnavailableError, StackError) as nowhere:
        pytest.skip(f"no Prometheus can be had here: {nowhere}")


async def ran(*command: str | Path, cwd: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_promtool_finds_nothing_wrong_and_each_alert_fires_when_it_should(programs: dict[str, Path]):
    folder = DEPLOY / "prometheus"
    await ran(programs["promtool"], "check", "config", "prometheus.yml", cwd=folder)
    assert "SUCCESS" in await ran(programs["promtool"], "test", "rules", "alerts.test.yml", cwd=folder)


@asynccontextmanager
async def a_prometheus(
    program: Path, target: str, folder: Path, environ: Mapping[str, str]
) -> AsyncGenerator[httpx.AsyncClient]:
    """One that scrapes `target` every second and knows the alerts."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(DEPLOY / "prometheus/alerts.yml")],
        "scrape_configs": [{"job_name": "fleet", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.json").write_text(json.dumps(config))
    place = f"127.0.0.1:{free_ports(1)[0]}"
    command = (
        str(program),
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={place}",
    )
    child = await Child.start("prometheus", command, environ=environ, log=folder / "prometheus.log")
    try:
        await child.wait_for_line("Server is ready to receive web requests", deadline_s=READY_S)
        async with httpx.AsyncClient(base_url=f"http://{place}") as http:
            yield http
    finally:
        await child.stop(grace_s=10)


def queries() -> list[str]:
    rules = (DEPLOY / "prometheus/alerts.yml").read_text()
    found = [
        re.sub(r"^\s*>-", "", expression)
        for expression in re.findall(r"expr:((?:.|\n)+?)\n        (?:for|labels):", rules)
    ]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            found += [target["expr"].replace("$__rate_interval", "1m") for target in panel["targets"]]
    return found


async def answer(http: httpx.AsyncClient, query: str) -> list[Any]:
    said = (await http.get("/api/v1/query", params={"query": query})).json()
    assert said["status"] == "success", (query, said)
    return said["data"]["result"]


async def until_answered(http: httpx.AsyncClient, query: str) -> list[Any]:
    async with asyncio.timeout(READY_S):
        while not (found := await answer(http, query)):  # noqa: ASYNC110 - a server can only be asked
            await asyncio.sleep(0.2)
    return found


async def test_a_real_prometheus_answers_every_query_and_no_alert_fires_on_a_fleet_that_is_well(
    programs: dict[str, Path], fleet_vhost: str, tmp_path: Path, private_environ: Mapping[str, str]
):
    async with a_house(fleet_vhost) as house:
        target = urlsplit(house.worker.health_url).netloc
        async with a_prometheus(programs["prometheus"], target, tmp_path, private_environ) as http:
            for _ in range(3):
                await house.caller.ask(ASKED)
                await house.caller.until_end()
            await until_answered(http, "fleet_requests_ended_total > 0")
            for query in SHOWN_WITHOUT_TROUBLE:
                assert await until_answered(http, query)
            for query in queries():
                await answer(http, query)
            (groups,) = [(await http.get("/api/v1/rules")).json()["data"]["groups"]]
            rules = [rule for group in groups for rule in group["rules"]]
            assert rules
            assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
            assert await answer(http, 'ALERTS{alertstate="firing"}') == []
