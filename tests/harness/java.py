"""The Java program of the contract, with the libraries that Debian packages, from the user's cache folder."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet_cli.console import say
from fleet_cli.stack.apt import Apt
from fleet_cli.stack.errors import UnavailableError
from fleet_cli.stack.packages import Bundle, unpacked_packages
from fleet_cli.stack.places import cache_dir
from harness.node import CONTRACTS
from harness.programs import Ended, ran

PROGRAM = CONTRACTS / "examples/java/Ask.java"
JARS = ("amqp-client", "gson", "slf4j-api", "slf4j-nop")
RUN_S = 120
LEAST_JAVA = 17


class _Libraries(Bundle):
    async def fetch(self, folder: Path, environ: Mapping[str, str]) -> list[Path]:
        """Whether the machine has some of them already or not: all lie in one folder then."""
        apt = Apt(folder / "apt", environ)
        await apt.update()
        packages = [self.package, "libgoogle-gson-java", "libslf4j-java"]
        return await apt.download(packages, folder / "packages")


LIBRARIES = _Libraries("Java-client", "librabbitmq-client-java", megabytes=1)


@dataclass(frozen=True, slots=True)
class Java:
    """The program, ready to run."""

    jars: Path
    environ: Mapping[str, str]

    async def ask(
        self, *arguments: str, amqp_url: str, once_it_speaks: Callable[[], object] | None = None
    ) -> Ended:
        """Run it to its end."""
        libraries = ":".join(str(self.jars / f"{name}.jar") for name in JARS)
        return await ran(
            "java",
            "-cp",
            libraries,
            str(PROGRAM),
            *arguments,
            environ={**self.environ, "AMQP_URL": amqp_url},
            deadline_s=RUN_S,
            once_it_speaks=once_it_speaks,
        )


async def java_program(environ: Mapping[str, str]) -> Java:
    """The program with its libraries; skips where there is no Java, or nowhere to get them from."""
    if shutil.which("javac", path=environ.get("PATH")) is None:
        pytest.skip(f"no JDK is on the PATH: install one of Java {LEAST_JAVA} or newer")
    asked = await ran("java", "-version", environ=environ)
    version = int(asked.complaint.partition('"')[2].partition(".")[0].partition('"')[0] or 0)
    if version < LEAST_JAVA:
        pytest.skip(f"this is Java {version}: install Java {LEAST_JAVA} or newer")
    try:
        root = await unpacked_packages(LIBRARIES, say, environ=environ, cache_dir=cache_dir(environ))
    except UnavailableError as missing:
        pytest.skip(f"RabbitMQ's Java client can't be had here: {missing}")
    return Java(root / "usr/share/java", environ)
