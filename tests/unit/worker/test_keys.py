"""Keys in files that change, and calls that are refused while they do."""

from pathlib import Path

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from fleet_worker.deepseek.auth import KeyAuth
from fleet_worker.deepseek.keys import LOOK_S, MAX_BYTES, FixedKey, KeyFile
from harness.clock import HandClock

OLD, NEW = "sk-CANARY-old", "sk-CANARY-new"


class Mounted:
    """A secret as Kubernetes mounts it: a link to a link to a folder, and the middle one is swapped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = 0
        self.path = folder / "key"
        self.path.symlink_to(Path("..data") / "key")
        self.put(OLD)

    def put(self, key: str) -> None:
        self._versions += 1
        version = self._folder / f"..{self._versions}"
        version.mkdir()
        (version / "key").write_text(f"{key}\n")
        swap = self._folder / "..swap"
        swap.symlink_to(version.name)
        swap.rename(self._folder / "..data")


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    return Mounted(tmp_path)


def a_file(path: Path) -> tuple[KeyFile, HandClock]:
    clock = HandClock()
    return KeyFile(path, clock, structlog.get_logger()), clock


def test_a_key_that_is_swapped_in_its_mount_is_used_within_a_second(mounted: Mounted):
    keys, clock = a_file(mounted.path)
    mounted.put(NEW)
    assert keys.current() == OLD
    clock.advance(LOOK_S)
    assert keys.current() == NEW


def test_a_refused_key_is_looked_up_at_once(mounted: Mounted):
    keys, _ = a_file(mounted.path)
    assert keys.newer_than(OLD) is None
    mounted.put(NEW)
    assert keys.newer_than(OLD) == NEW
    assert keys.newer_than(NEW) is None


@pytest.mark.parametrize("trouble", ["gone", "empty", "two lines"])
def test_a_file_that_holds_no_key_for_a_while_leaves_the_key_before_it(tmp_path: Path, trouble: str):
    path = tmp_path / "key"
    path.write_text(OLD)
    keys, clock = a_file(path)
    with capture_logs() as logs:
        if trouble == "gone":
            path.unlink()
        else:
            path.write_text("" if trouble == "empty" else "sk-CANARY\nsk-CANARY")
        for _ in range(3):
            clock.advance(LOOK_S)
            assert keys.current() == OLD
        path.write_text(NEW)
        clock.advance(LOOK_S)
        assert keys.current() == NEW
    assert [entry["log_level"] for entry in logs] == ["error", "warning"]
    assert "CANARY" not in f"{[{**entry, 'error': repr(entry.get('error'))} for entry in logs]}"


@pytest.mark.parametrize("text", ["", " \n", "sk-1\nsk-2", "sk-é", "sk 1", "x" * (MAX_BYTES + 1) + "\n\n"])
def test_a_file_without_a_key_is_refused_at_the_start_and_not_repeated(tmp_path: Path, text: str):
    path = tmp_path / "key"
    path.write_text(text)
    if len(text) > MAX_BYTES:
        return  # cut, and a key like any other
    with pytest.raises(ValueError, match=r"holds no API key: write the key into it"):
        a_file(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ValueError, match=r"nowhere can't be read \(No such file or directory\)"):
        a_file(tmp_path / "nowhere")


def test_keys_are_shown_nowhere(mounted: Mounted):
    keys, clock = a_file(mounted.path)
    mounted.put(NEW)
    clock.advance(LOOK_S)
    keys.current()
    fixed = FixedKey(OLD)
    assert "CANARY" not in f"{keys!r} {keys} {fixed!r} {KeyAuth(keys)!r} {KeyAuth(fixed)!r}"
    said = f"your keys {OLD} and {NEW}".encode()
    assert b"CANARY" not in keys.hide(said)
    assert OLD.encode() not in fixed.hide(said)


class Door:
    """Lets one key in, and counts the calls."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.calls: list[str] = []

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request.headers.get("Authorization", ""))
        return httpx.Response(200 if self.calls[-1] == f"Bearer {self.key}" else 401)

    async def call(self, auth: httpx.Auth) -> int:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.answer)) as http:
            return (await http.post("https://a.test", content=b"{}", auth=auth)).status_code


async def test_a_call_refused_for_a_key_that_has_changed_is_made_again_with_the_new_one(mounted: Mounted):
    keys, _ = a_file(mounted.path)
    door = Door(NEW)
    mounted.put(NEW)
    assert await door.call(KeyAuth(keys)) == 200
    assert door.calls == [f"Bearer {OLD}", f"Bearer {NEW}"]


async def test_a_call_refused_for_a_key_that_has_not_changed_is_not_made_again(mounted: Mounted):
    keys, _ = a_file(mounted.path)
    door = Door(NEW)
    assert await door.call(KeyAuth(keys)) == 401
    assert door.calls == [f"Bearer {OLD}"]


async def test_an_upstream_that_wants_no_key_gets_none():
    door = Door("")
    await door.call(KeyAuth(FixedKey("")))
    assert door.calls == [""]
