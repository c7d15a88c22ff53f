"""A pod of a rendered manifest, as a container that is given what the manifest gives it and nothing else."""

import asyncio
import os
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet_cli.stack.command import run
from harness.cgroups import READ, Spent, spent_in

COMMAND_DEADLINE_S = 60.0
_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_SHARES = 1024
"""A processor's worth of them, as the kubelet counts: https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"""


@dataclass(frozen=True, slots=True)
class PodManifest:
    """What a chart says of one container of its workers."""

    pod: Mapping[str, Any]
    settings: Mapping[str, str]
    """The ConfigMap that its environment is made of."""

    @property
    def container(self) -> Mapping[str, Any]:
        (only,) = self.pod["containers"]
        return only

    @property
    def grace_s(self) -> float:
        return float(self.pod["terminationGracePeriodSeconds"])

    @property
    def memory(self) -> int:
        """Its limit, in bytes."""
        return bytes_of(self.container["resources"]["limits"]["memory"])

    @property
    def port(self) -> int:
        (only,) = self.container["ports"]
        return int(only["containerPort"])

    def arguments(self, name: str, secrets: Path) -> list[str]:
        """What `docker create` is told before the image."""
        return [
            *("--name", name, "--hostname", name, "--publish", f"127.0.0.1::{self.port}"),
            *self._limits(),
            *self._security(),
            *self._volumes(secrets),
            *self._environment(name),
        ]

    def _limits(self) -> list[str]:
        resources = self.container["resources"]
        asked = cores_of(resources["requests"]["cpu"])
        told = ["--memory", str(self.memory), "--memory-swap", str(self.memory)]
        told += ["--cpu-shares", str(max(2, round(asked * _SHARES)))]
        if "cpu" in resources["limits"]:
            told += ["--cpus", str(cores_of(resources["limits"]["cpu"]))]
        return told

    def _security(self) -> list[str]:
        pod, own = self.pod["securityContext"], self.container["securityContext"]
        told = ["--user", f"{pod['runAsUser']}:{pod['runAsGroup']}", "--group-add", str(pod["fsGroup"])]
        told += [part for each in own["capabilities"]["drop"] for part in ("--cap-drop", each)]
        if own["readOnlyRootFilesystem"]:
            told += ["--read-only"]
        if not own["allowPrivilegeEscalation"]:
            told += ["--security-opt", "no-new-privileges"]
        return told

    def _volumes(self, secrets: Path) -> list[str]:
        kinds = {volume["name"]: volume for volume in self.pod["volumes"]}
        told: list[str] = []
        for mount in self.container["volumeMounts"]:
            volume, path = kinds[mount["name"]], mount["mountPath"]
            if "emptyDir" in volume:
                told += ["--tmpfs", f"{path}:rw,mode=1777,size={bytes_of(volume['emptyDir']['sizeLimit'])}"]
            else:
                told += ["--volume", f"{secrets}:{path}:{'ro' if mount.get('readOnly') else 'rw'}"]
        return told

    def _environment(self, name: str) -> list[str]:
        given = dict(self.settings)
        for each in self.container["env"]:
            given[each["name"]] = each["value"] if "value" in each else {"metadata.name": name}[_field(each)]
        return [part for pair in given.items() for part in ("--env", "=".join(pair))]


class Pod:
    """One pod's container, and what the kubelet would do with it."""

    def __init__(self, name: str, manifest: PodManifest, environ: Mapping[str, str]) -> None:
        self.name = name
        self.manifest = manifest
        self.url = ""
        self.started_at = 0.0
        self._environ = environ

    async def start(self, image: str, secrets: Path, networks: list[str]) -> None:
        """Create it, join it to its networks, and start it."""
        first, *others = networks
        what = [image, *self.manifest.container["args"]]
        told = self.manifest.arguments(self.name, secrets)
        await self._docker("create", "--network", first, *told, *what)
        for network in others:
            await self._docker("network", "connect", network, self.name)
        self.started_at = time.monotonic()
        await self._docker("start", self.name)
        where = (await self._docker("port", self.name, str(self.manifest.port))).split()[0]
        self.url = f"http://{where}"

    async def terminate(self) -> float:
        """End it as a kubelet does: preStop, SIGTERM, SIGKILL at the end of the grace; the seconds taken."""
        begun, grace_s = time.monotonic(), self.manifest.grace_s
        before = self.manifest.container.get("lifecycle", {}).get("preStop", {"sleep": {"seconds": 0}})
        pause_s = float(before["sleep"]["seconds"])
        await asyncio.sleep(pause_s)
        left_s = grace_s - pause_s
        await self._docker(
            "stop", "--time", f"{left_s:.0f}", self.name, deadline_s=left_s + COMMAND_DEADLINE_S
        )
        return time.monotonic() - begun

    async def spent(self) -> Spent:
        """What it has used so far, as its own cgroup counts it."""
        return spent_in(await self._docker("exec", self.name, "sh", "-c", READ))

    async def end(self) -> tuple[int, bool]:
        """Its exit status, and whether the kernel killed it for want of memory."""
        told = await self._docker(
            "inspect", "--format", "{{.State.ExitCode}} {{.State.OOMKilled}}", self.name
        )
        status, killed = told.split()
        return int(status), killed == "true"

    async def log(self) -> str:
        """What it wrote to standard error."""
        return await run(
            ("sh", "-c", f"docker logs {self.name} 2>&1"),
            environ=self._environ,
            deadline_s=COMMAND_DEADLINE_S,
        )

    async def remove(self) -> None:
        await self._docker("rm", "--force", "--volumes", self.name)

    async def _docker(self, *arguments: str, deadline_s: float = COMMAND_DEADLINE_S) -> str:
        return await run(("docker", *arguments), environ=self._environ, deadline_s=deadline_s)


@asynccontextmanager
async def a_pod(
    name: str,
    manifest: PodManifest,
    environ: Mapping[str, str],
    image: str,
    secrets: Path,
    networks: list[str],
) -> AsyncGenerator[Pod]:
    """A pod that is gone in the end, whatever became of it."""
    pod = Pod(name, manifest, environ)
    try:
        await pod.start(image, secrets, networks)
        yield pod
    finally:
        await pod.remove()


def worker_pod(manifests: list[dict[str, Any]]) -> PodManifest:
    """The workers' pod of a rendered chart."""
    (pod,) = [each["spec"]["template"]["spec"] for each in manifests if each["kind"] == "Deployment"]
    (named,) = [each["configMapRef"]["name"] for each in pod["containers"][0]["envFrom"]]
    (settings,) = [
        each["data"]
        for each in manifests
        if each["kind"] == "ConfigMap" and each["metadata"]["name"] == named
    ]
    return PodManifest(pod, settings)


def secret_files(folder: Path, pod: PodManifest, values: Mapping[str, str]) -> Path:
    """A mounted Secret with the files that the pod's volume asks for, readable for those that it says."""
    (volume,) = [each["secret"] for each in pod.pod["volumes"] if "secret" in each]
    folder.mkdir(mode=0o755)
    for item in volume["items"]:
        file = folder / item["path"]
        file.write_text(values[item["key"]])
        try:
            os.chown(file, -1, pod.pod["securityContext"]["fsGroup"])
            file.chmod(volume["defaultMode"])
        except PermissionError:
            # Who may not give a file to the pod's group lets everybody read it.
            file.chmod(0o444)
    return folder


def bytes_of(quantity: str) -> int:
    """A quantity of memory, in bytes."""
    found = re.fullmatch(r"(\d+)(|Ki|Mi|Gi)", str(quantity))
    assert found, quantity
    return int(found[1]) * _UNITS[found[2]]


def cores_of(quantity: str) -> float:
    """A quantity of processors."""
    text = str(quantity)
    return int(text[:-1]) / 1000 if text.endswith("m") else float(text)


def _field(variable: Mapping[str, Any]) -> str:
    return variable["valueFrom"]["fieldRef"]["fieldPath"]
