"""The client's example programs, run as a person runs them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.programs import Ended, ran

EXAMPLES = Path(__file__).parents[2] / "services/client/examples"


@dataclass(frozen=True, slots=True)
class Program:
    """One example's program, in a folder of its own for what it writes."""

    folder: Path
    name: str
    environ: Mapping[str, str]

    async def __call__(self, *arguments: str, told: str = "") -> Ended:
        """Run it to its end; `told` is what is typed."""
        command = (sys.executable, "-W", "error", str(EXAMPLES / self.name), *arguments)
        return await ran(*command, environ=self.environ, told=told.encode(), cwd=self.folder)


def program(name: str, url: str, environ: Mapping[str, str], folder: Path) -> Program:
    """The program `name` below examples/, against the broker at `url`."""
    return Program(folder, name, {**environ, "AMQP_URL": url})
