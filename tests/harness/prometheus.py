"""Prometheus and its promtool: what is installed, or else the distribution's own package, unpacked."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleet_cli.stack.apt import Apt
from fleet_cli.stack.packages import Bundle, unpacked_packages
from fleet_cli.stack.places import cache_dir

PROGRAMS = ("prometheus", "promtool")


@dataclass(frozen=True)
class PrometheusBundle(Bundle):
    """The package alone: its programs need nothing of what it recommends to a server."""

    async def fetch(self, folder: Path, environ: Mapping[str, str]) -> list[Path]:
        """Fetch it."""
        apt = Apt(folder / "apt", environ)
        await apt.update()
        return await apt.download([self.package], folder / "packages")


BUNDLE = PrometheusBundle("Prometheus", "prometheus", 60)


async def prometheus_programs(environ: Mapping[str, str]) -> dict[str, Path]:
    """Where `prometheus` and `promtool` are.

    Raises:
        UnavailableError: they are neither installed nor in the distribution's packages.
        StackError: the packages can't be fetched now.
    """
    found = {name: shutil.which(name, path=environ.get("PATH")) for name in PROGRAMS}
    if all(found.values()):
        return {name: Path(place) for name, place in found.items() if place}
    root = await unpacked_packages(BUNDLE, print, environ=environ, cache_dir=cache_dir(environ))
    return {name: root / "usr/bin" / name for name in PROGRAMS}
