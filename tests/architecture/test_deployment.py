"""The image and compose files fit the code that they run: a wrong name is found here, not in a deployment."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from fleet_chassis.settings import variable_name
from fleet_cli.main import app
from fleet_contracts.topology import CONSUMER_TIMEOUT_MS
from fleet_simulator.config import DEFAULT_KEY
from fleet_worker.bootstrap import LAST_COPIES_S
from fleet_worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
BUILD = (ROOT / "deploy/build.txt").read_text()
COMPOSE = (ROOT / "docker-compose.yml").read_text()
REAL = (ROOT / "deploy/compose.deepseek.yml").read_text()
BROKER = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text()
STORE = (ROOT / "deploy/valkey/valkey.conf").read_text()
FLEET = ("topology", "simulator", "worker")


def service_in(text: str, name: str) -> str:
    """The lines of one service in a compose file."""
    (found,) = re.findall(rf"^  {name}:\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    return found


def default_of(field: str) -> float:
    return WorkerSettings.model_fields[field].default


def test_uv_in_the_image_is_the_workspaces_own():
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["required-version"]
    (version,) = re.findall(r"^uv==(\S+) ", BUILD, re.MULTILINE)
    assert f"=={version}" == wanted


def test_what_is_copied_into_the_image_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \./$", DOCKERFILE, re.MULTILINE)
    assert copied
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert f"!{name}" in ignored


def test_the_installed_member_is_one_of_the_workspace():
    members = {
        tomllib.loads(path.read_text())["project"]["name"] for path in ROOT.glob("services/*/pyproject.toml")
    }
    packages = set(re.findall(r"--package (\S+)", DOCKERFILE))
    assert packages
    assert packages <= members


def test_the_bill_of_materials_is_of_what_the_image_installs():
    wanted = re.compile(r"--no-dev|--package \S+|--extra \S+")
    recipe = (ROOT / "Makefile").read_text().partition("\nsbom:")[2].partition("\n\n")[0]
    syncs = re.findall(r"^RUN uv sync (.+)$", DOCKERFILE, re.MULTILINE)
    assert syncs
    for sync in syncs:
        assert set(wanted.findall(sync)) == set(wanted.findall(recipe))


def test_the_image_installs_nothing_whose_hash_the_lock_does_not_have():
    syncs = re.findall(r"^RUN uv sync (.+)$", DOCKERFILE, re.MULTILINE)
    assert all(re.match(r"--(locked|frozen) ", sync) for sync in syncs)
    (install,) = re.findall(r"^RUN pip install (?:.*\\\n)*.*$", DOCKERFILE, re.MULTILINE)
    assert "--require-hashes" in install
    assert all("--hash=sha256:" in each for each in BUILD.split("==")[1:])
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    others = [package for package in lock["package"] if "registry" in package["source"]]
    assert others
    for package in others:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert files
        assert all(file["hash"].startswith("sha256:") for file in files), package["name"]
    # All that is not from a registry is a member of this workspace.
    assert all({"registry", "editable", "virtual"} & package["source"].keys() for package in lock["package"])


def test_signals_reach_the_command_from_its_first_moment_and_through_no_shell():
    scripts = tomllib.loads((ROOT / "services/cli/pyproject.toml").read_text())["project"]["scripts"]
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)
    init, end_of_options, command = json.loads(entry)
    assert (init, end_of_options) == ("dumb-init", "--")
    assert command in scripts


@pytest.mark.parametrize("service", FLEET)
def test_what_compose_starts_is_a_command_of_ours(service: str):
    (command,) = re.findall(r"^    command: \[(\w+)", service_in(COMPOSE, service), re.MULTILINE)
    assert command in getattr(get_command(app), "commands", {})


def test_the_image_runs_as_nobody_in_particular():
    assert re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert "find / -xdev -type f -perm /6000 -exec chmod a-s {} +" in DOCKERFILE


@pytest.mark.parametrize("service", ["simulator", "worker"])
def test_health_checks_are_valid_python(service: str):
    (code,) = re.findall(r"test: \[CMD, python, -c, \"(.+)\"\]$", service_in(COMPOSE, service), re.MULTILINE)
    compile(code, "healthcheck", "exec")


def test_every_service_that_stays_is_checked_and_started_again():
    for service in ("rabbitmq", "valkey", "simulator", "worker", "prometheus", "jaeger", "grafana"):
        assert "    healthcheck:\n" in service_in(COMPOSE, service)
        assert "    restart: unless-stopped\n" in service_in(COMPOSE, service)


def test_every_container_is_confined():
    services = re.findall(
        r"^  (\w+):$", COMPOSE.partition("\nservices:")[2].partition("\nnetworks:")[0], re.MULTILINE
    )
    assert {*FLEET, "rabbitmq", "valkey", "prometheus", "jaeger", "grafana"} == set(services)
    for service in services:
        assert re.search(r"<<: \*(confined|fleet)$", service_in(COMPOSE, service), re.MULTILINE)
    assert "<<: *confined" in COMPOSE.partition("x-fleet:")[2].partition("\n\n")[0]


def test_compose_refers_to_files_that_exist():
    for file in re.findall(r"^ +- (\./[^:]+):", COMPOSE, re.MULTILINE):
        assert (ROOT / file).exists()
    (built,) = re.findall(r"context: ([^,]+), dockerfile: ([^,}]+)", COMPOSE)
    assert Path(ROOT, *built).is_file()


def test_the_store_loses_at_most_a_second_and_evicts_nothing():
    told = dict(re.findall(r"^([a-z-]+) (.+)$", STORE, re.MULTILINE))
    assert (told["appendonly"], told["appendfsync"]) == ("yes", "everysec")
    assert told["maxmemory-policy"] == "noeviction"


def test_the_store_is_reached_by_workers_alone():
    assert re.search(r"^  store:\n    internal: true$", COMPOSE, re.MULTILINE)
    assert "REDIS_URL: redis://valkey:6379/0\n" in service_in(COMPOSE, "worker")
    assert {service for service in FLEET if "store]" in service_in(COMPOSE, service)} == {"worker"}
    assert "ports:" not in service_in(COMPOSE, "valkey")


@pytest.mark.parametrize("text", [COMPOSE, REAL], ids=["simulated", "real"])
def test_compose_sets_only_what_a_worker_reads(text: str):
    known = {variable_name(WorkerSettings, field) for field in WorkerSettings.model_fields}
    named = set(re.findall(r"^[ #]+((?:AMQP|DEEPSEEK|FLEET|REDIS)_[A-Z_]+): ", text, re.MULTILINE))
    assert named
    assert named <= known


def test_compose_holds_no_key_and_calls_no_real_account_unasked():
    assert f"DEEPSEEK_API_KEY: {DEFAULT_KEY}\n" in COMPOSE
    assert "api.deepseek.com" not in COMPOSE
    assert "DEEPSEEK_API_KEY: ${DEEPSEEK_API_KEY:?" in REAL


def test_compose_opens_no_port_to_the_network():
    published = re.findall(r"^ +- (\S+:\d+)$", COMPOSE, re.MULTILINE)
    assert len(published) == 8
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_a_worker_is_given_more_time_to_stop_than_its_drain_takes():
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", service_in(COMPOSE, "worker"))
    assert float(grace) > default_of("drain_s") + LAST_COPIES_S


def test_the_broker_lets_a_delivery_be_held_for_as_long_as_a_worker_may_hold_it():
    (timeout,) = re.findall(r"^consumer_timeout = (\d+)$", BROKER, re.MULTILINE)
    assert int(timeout) == CONSUMER_TIMEOUT_MS
    assert default_of("longest_request_s") * 1000 < CONSUMER_TIMEOUT_MS


def test_grafana_finds_what_compose_starts():
    provisioning = ROOT / "deploy/grafana/provisioning"
    sources = (provisioning / "datasources/compose.yml").read_text()
    found = re.findall(
        r"^    uid: (\w+)\n    access: proxy\n    url: http://(\w+):(\d+)$", sources, re.MULTILINE
    )
    assert len(found) == sources.count("- name: ")
    for uid, host, port in found:
        assert uid == host
        assert f":{port}\n" in service_in(COMPOSE, host).partition("ports:")[2]
    (folder,) = re.findall(r"path: ([^}]+)}", (provisioning / "dashboards/fleet.yml").read_text())
    assert f"./deploy/grafana:{folder}:ro" in service_in(COMPOSE, "grafana")
    assert f"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: {folder}/overview.json" in COMPOSE
