import fcntl
from collections.abc import Mapping
from pathlib import Path

import pytest

from fleet_cli.stack import packages
from fleet_cli.stack.errors import UnavailableError
from fleet_cli.stack.packages import unpacked_packages
from fleet_cli.stack.rabbitmq.packages import RABBITMQ

# An apt-get that has no network: it fails as the real one does, and leaves a note that it was asked.
BROKEN_APT = (
    '#!/bin/sh\necho "$@" >> "$ASKED"\necho "E: Unable to locate package rabbitmq-server" >&2\nexit 100\n'
)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    monkeypatch.setattr(packages, "PAUSE_S", 0.01)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("apt-get", "apt-cache", "dpkg"):
        (tools / name).write_text(BROKEN_APT)
        (tools / name).chmod(0o755)
    return {"PATH": f"{tools}:/usr/bin:/bin", "ASKED": str(tmp_path / "asked")}


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def was_asked(environ: Mapping[str, str]) -> bool:
    return Path(environ["ASKED"]).exists()


async def test_without_a_network_it_is_tried_again_and_then_said_in_one_sentence(
    offline: Mapping[str, str], tmp_path: Path
) -> None:
    lines: list[str] = []
    with pytest.raises(UnavailableError, match=r"could not be fetched .*Unable to locate package") as said:
        await unpacked_packages(RABBITMQ, lines.append, environ=offline, cache_dir=tmp_path / "cache")
    assert "\n" not in str(said.value)
    assert sum("trying again" in line for line in lines) == packages.TRIES - 1
    assert names_in(tmp_path / "cache") == [f"rabbitmq-{packages.system_name()}.lock"]


async def test_a_warm_cache_needs_no_network(offline: Mapping[str, str], tmp_path: Path) -> None:
    warm = RABBITMQ.folder(tmp_path / "cache")
    warm.mkdir(parents=True)
    assert await unpacked_packages(RABBITMQ, print, environ=offline, cache_dir=tmp_path / "cache") == warm
    assert not was_asked(offline)


async def test_a_machine_without_apt_is_told_from_one_without_a_network(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="there is no apt-get here"):
        await unpacked_packages(RABBITMQ, print, environ={"PATH": str(tmp_path)}, cache_dir=tmp_path)


async def test_a_second_run_waits_for_the_one_that_fills_the_cache(
    offline: Mapping[str, str], tmp_path: Path
) -> None:
    root = RABBITMQ.folder(tmp_path / "cache")
    root.parent.mkdir()
    lines: list[str] = []
    with (root.parent / f"{root.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        def on_line(line: str) -> None:
            lines.append(line)
            root.mkdir()
            fcntl.flock(held, fcntl.LOCK_UN)

        assert await unpacked_packages(RABBITMQ, on_line, environ=offline, cache_dir=root.parent) == root
    assert lines == ["RabbitMQ: another run is fetching the packages, waiting for it"]
    assert not was_asked(offline)
