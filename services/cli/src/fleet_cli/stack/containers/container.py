"""A container of a run: reached through loopback alone, and gone with the process that started it."""

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from fleet_cli.stack.containers.engine import answering_engine
from fleet_cli.stack.containers.fetching import fetch
from fleet_cli.stack.containers.removal import a_remover
from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.ports import LOOPBACK
from fleet_cli.stack.report import Report

if TYPE_CHECKING:
    from docker.models.containers import Container as Started
    from testcontainers.core.container import DockerContainer

T = TypeVar("T")
STOP_GRACE_S = 10


@dataclass(frozen=True)
class Recipe:
    """What a container is made of, and the ports by which it is reached."""

    image: str
    ports: Mapping[int, int]
    """Where its program listens, and where each is to be found on this machine's loopback interface."""
    environ: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    """Texts by their absolute paths in the container."""
    command: tuple[str, ...] = ()


class Container:
    """Power over one container, by way of its engine. Whatever fails raises StackError."""

    def __init__(self, recipe: Recipe, described: "DockerContainer") -> None:
        self._recipe = recipe
        self._described = described

    async def renew(self) -> None:
        """Start it from its image, with nothing of what it may have had on disk before."""
        await self.remove()
        await self._ask(self._described.start)

    async def start(self) -> None:
        """Start it again, with what it had on disk."""
        await self._ask(self._started.start)

    async def stop(self) -> None:
        """End its program cleanly, by force after 10 s."""
        await self.resume()  # what stands still could not end cleanly
        await self._ask(lambda: self._started.stop(timeout=STOP_GRACE_S))

    async def kill(self) -> None:
        """End its program at once, as a power cut would; what it had on disk stays."""
        await self.resume()  # some engines cannot kill what stands still
        await self._ask(self._started.kill)

    async def pause(self) -> None:
        """Let its program stand still."""
        await self._ask(self._started.pause)

    async def resume(self) -> None:
        """Let its program go on, if it stands still."""
        await self._ask(lambda: _resume(self._started))

    async def remove(self) -> None:
        """Remove it with everything in it, if it is there."""
        await self._ask(self._described.stop)

    async def run(self, *command: str) -> str:
        """Run a command in it; what that prints."""
        result = await self._ask(lambda: self._described.exec(list(command)))
        text = result.output.decode(errors="replace")
        if result.exit_code:
            raise StackError(f"{command[0]} failed with status {result.exit_code}: {text.strip()}")
        return text

    @property
    def _started(self) -> "Started":
        return self._described.get_wrapped_container()

    async def _ask(self, call: Callable[[], T]) -> T:
        asked = asyncio.ensure_future(asyncio.to_thread(call))
        try:
            return await asyncio.shield(asked)
        except Exception as trouble:  # the engine's library promises no closed set of errors
            raise StackError(f"Docker refused a step with {self._recipe.image}: {trouble}") from trouble
        finally:
            # A thread can't be cancelled, and what it starts late must be there to be removed. It ends by
            # itself: the library waits for an engine's answer no longer than a minute.
            await asyncio.gather(asked, return_exceptions=True)


@asynccontextmanager
async def a_container(
    report: Report, environ: Mapping[str, str], recipe: Recipe
) -> AsyncGenerator[Container]:
    """A container that has been started; raises UnavailableError where no engine can start one."""
    engine = await answering_engine(environ)
    if engine is None:
        raise UnavailableError("no Docker engine answers on this machine")
    spoken_to = {**environ, "DOCKER_HOST": engine}
    name = f"deepseek-fleet-{os.getpid()}-{secrets.token_hex(4)}"
    with _unavailable(recipe.image):
        described = await asyncio.to_thread(_describe, recipe, name, spoken_to)
        await fetch(recipe.image, described.get_docker_client(), report, spoken_to)
    async with a_remover(name, spoken_to) as remover:
        container = Container(recipe, described)
        try:
            with _unavailable(recipe.image):
                await container.renew()
            yield container
        finally:
            await container.remove()
            remover.dismiss()


@contextmanager
def _unavailable(image: str) -> Generator[None]:
    try:
        yield
    except Exception as trouble:  # the engine's library promises no closed set of errors
        raise UnavailableError(f"Docker could not start {image} ({trouble})") from trouble


def _describe(recipe: Recipe, name: str, environ: Mapping[str, str]) -> "DockerContainer":
    from testcontainers.core.config import testcontainers_config  # late: it takes a second to load
    from testcontainers.core.container import DockerContainer

    testcontainers_config.ryuk_disabled = True  # removal.py does its work
    described = DockerContainer(recipe.image, docker_client_kw={"environment": environ}).with_name(name)
    # Only on the loopback interface, which the library's own method has no word for but the engine has.
    for inside, here in recipe.ports.items():
        described.ports[str(inside)] = (LOOPBACK, here)  # pyright: ignore[reportArgumentType] - as above
    described.with_envs(**recipe.environ)
    for path, text in recipe.files.items():
        described.with_copy_into_container(text.encode(), path)
    return described.with_command(list(recipe.command)) if recipe.command else described


def _resume(started: "Started") -> None:
    started.reload()
    if started.status == "paused":
        started.unpause()
