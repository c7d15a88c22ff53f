from pathlib import Path

import pytest

from fleet_cli.stack.errors import StackError, UnavailableError
from fleet_cli.stack.sources import first_available
from fleet_cli.stack.store.asking import label_of
from fleet_cli.stack.store.given import NoControl, given_store
from fleet_cli.stack.store.installation import Installation, installed, unpacked
from fleet_cli.stack.store.server_settings import ServerSettings, configuration
from fleet_cli.stack.store.sources import NO_STORE, sources
from fleet_cli.stack.store.store import Store


def no_report(_line: str) -> None: ...


def names(environ: dict[str, str]) -> list[str]:
    return [way.name for way in sources(no_report, environ, Path("/cache"), appendonly=True)]


def program(folder: Path, name: str, says: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)
    return file


def test_a_given_url_leaves_no_other_way() -> None:
    assert names({"REDIS_URL": "redis://given/"}) == ["given by REDIS_URL"]


def test_a_container_comes_before_the_installed_and_that_before_the_unpacked() -> None:
    assert names({}) == [
        "in a container",
        "installed on this machine",
        "unpacked from the distribution's packages",
    ]


async def test_where_no_store_can_be_had_one_sentence_says_what_to_do() -> None:
    with pytest.raises(
        UnavailableError, match="set REDIS_URL, start Docker, or install valkey-server"
    ) as said:
        async with first_available([], no_report, nothing=NO_STORE):
            pass
    assert "\n" not in str(said.value)


@pytest.mark.parametrize("url", ["http://host:1", "redis://", "redis://host:port/0", "amqp://host"])
async def test_a_url_of_another_kind_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(StackError, match="set it as in redis://"):
        async with given_store(url):
            pass


async def test_a_store_that_is_not_ours_is_never_stopped_nor_emptied() -> None:
    store = Store("redis://given/", "Redis 7.0.0", NoControl())
    for forbidden in (store.kill, store.restart, store.pause, store.resume, store.flush):
        with pytest.raises(StackError, match="not ours"):
            await forbidden()


def test_valkey_is_taken_before_redis(tmp_path: Path) -> None:
    program(tmp_path, "redis-server")
    valkey = program(tmp_path, "valkey-server")
    assert installed({"PATH": str(tmp_path)}).command == (str(valkey),)


def test_what_was_unpacked_finds_its_libraries_there(tmp_path: Path) -> None:
    server = program(tmp_path / "usr/bin", "redis-server")
    libraries = tmp_path / "usr/lib/x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    found = unpacked(tmp_path)
    assert found.command == (str(server),)
    assert found.environment()["LD_LIBRARY_PATH"] == str(libraries)


def test_a_folder_without_a_store_is_no_installation(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no store's program"):
        unpacked(tmp_path)


async def test_a_store_that_is_too_old_is_passed_over(tmp_path: Path) -> None:
    old = program(tmp_path, "redis-server", "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1")
    with pytest.raises(UnavailableError, match=r"Redis 6\.0\.16 is too old: the fleet needs Redis 7"):
        await Installation((str(old),)).label()


async def test_a_program_that_is_something_else_is_passed_over(tmp_path: Path) -> None:
    other = program(tmp_path, "redis-server", "hello")
    with pytest.raises(UnavailableError, match="neither Redis nor Valkey"):
        await Installation((str(other),)).label()


def test_valkey_is_not_taken_for_the_redis_whose_place_it_takes() -> None:
    assert label_of({"redis_version": "7.2.4", "valkey_version": "8.1.1"}) == "Valkey 8.1.1"
    assert label_of({"redis_version": "7.0.15"}) == "Redis 7.0.15"


def test_a_store_of_ours_refuses_rather_than_forgets_and_serves_this_machine_alone() -> None:
    text = configuration(ServerSettings(4711, "secret", appendonly=True), folder=Path("/data"))
    for line in ("maxmemory-policy noeviction", "appendonly yes", 'save ""', "bind 127.0.0.1"):
        assert f"{line}\n" in text


def test_the_password_of_a_store_of_ours_is_in_its_url() -> None:
    settings = ServerSettings(4711, "secret", appendonly=False)
    assert settings.url == "redis://:secret@127.0.0.1:4711/0"
