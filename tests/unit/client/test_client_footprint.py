"""What a backend gets when it installs the client, and what it loads when it imports it."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
UNWANTED = {
    "fleet_chassis",
    "fleet_cli",
    "fleet_simulator",
    "fleet_worker",
    "faststream",
    "httpx",
    "aiohttp",
    "structlog",
    "prometheus_client",
    "redis",
    "opentelemetry",
    "flask",
    "django",
}
IMPORT_ALL = """
import json, pkgutil, sys
import fleet_client
for found in pkgutil.walk_packages(fleet_client.__path__, "fleet_client."):
    __import__(found.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_the_client_depends_on_three_packages() -> None:
    project = tomllib.loads((ROOT / "services/client/pyproject.toml").read_text())["project"]
    names = {re.split("[<>=]", requirement)[0] for requirement in project["dependencies"]}
    assert names == {"deepseek-fleet-contracts", "aio-pika", "orjson"}
    assert "optional-dependencies" not in project


def test_installing_the_client_brings_nothing_of_the_services() -> None:
    locked: list[dict[str, Any]] = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    needs = {each["name"]: {need["name"] for need in each.get("dependencies", [])} for each in locked}
    installed, open_ = set[str](), {"deepseek-fleet-client"}
    while open_:
        installed |= open_
        open_ = {need for name in open_ for need in needs[name]} - installed
    assert {name for name in installed if name.startswith("deepseek-fleet")} == {
        "deepseek-fleet-client",
        "deepseek-fleet-contracts",
    }
    assert not {name.replace("-", "_") for name in installed} & UNWANTED
    assert len(installed) < 20


def test_importing_all_of_the_client_loads_nothing_of_the_services() -> None:
    said = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=True)
    assert not set(json.loads(said.stdout)) & UNWANTED
