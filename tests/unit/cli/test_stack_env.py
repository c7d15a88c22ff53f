import shlex
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_cli.stack.errors import StackError
from fleet_cli.stack.stack_env import Addresses, addressed, broker_url, published, rendered
from fleet_cli.wrong_input import WrongInputError

LINE = st.text(st.characters(exclude_categories=["C", "Z"]))
ADDRESSES = Addresses("amqp://guest:guest@127.0.0.1:5672/", "http://127.0.0.1:8000", "sk-simulator")


@given(url=LINE, key=LINE)
def test_a_shell_reads_back_every_address_as_it_was(url: str, key: str) -> None:
    addresses = Addresses(url, "http://127.0.0.1:8000", key)
    read = dict(shlex.split(line)[0].split("=", 1) for line in rendered(addresses).split("\n") if line)
    assert read == addresses.variables()


def test_the_file_holds_the_conventional_names() -> None:
    names = [line.split("=")[0] for line in rendered(ADDRESSES).splitlines()]
    assert names == ["AMQP_URL", "REDIS_URL", "DEEPSEEK_BASE_URL", "DEEPSEEK_API_KEY", "METRICS_URL"]


def test_the_file_is_for_its_owner_only_and_goes_with_the_stack(tmp_path: Path) -> None:
    with published(ADDRESSES, tmp_path) as file:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text() == rendered(ADDRESSES)
    assert not file.exists()


def test_a_second_stack_does_not_take_the_place_of_a_running_one(tmp_path: Path) -> None:
    with (
        published(ADDRESSES, tmp_path) as file,
        pytest.raises(StackError, match="stop it first"),
        published(ADDRESSES, tmp_path),
    ):
        pass
    assert not file.exists()


def test_what_a_killed_stack_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "stack.env").write_text("AMQP_URL=amqp://gone/\n")
    with published(ADDRESSES, tmp_path) as file:
        assert file.read_text() == rendered(ADDRESSES)


def test_an_address_is_looked_for_in_the_environment_and_then_in_the_stack(tmp_path: Path) -> None:
    with published(ADDRESSES, tmp_path):
        assert addressed({}, tmp_path)["DEEPSEEK_BASE_URL"] == "http://127.0.0.1:8000"
        assert broker_url({}, tmp_path) == ADDRESSES.amqp_url
        assert broker_url({"AMQP_URL": "amqp://far/"}, tmp_path) == "amqp://far/"


def test_a_key_from_the_environment_never_goes_to_the_address_of_a_stack(tmp_path: Path) -> None:
    with published(ADDRESSES, tmp_path):
        found = addressed({"DEEPSEEK_API_KEY": "sk-real"}, tmp_path)
    assert (found["DEEPSEEK_BASE_URL"], found["DEEPSEEK_API_KEY"]) == ("", "sk-real")


def test_a_broken_file_of_addresses_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "stack.env").write_text("AMQP_URL='never closed\n")
    with pytest.raises(WrongInputError, match="stop the stack and start it again"):
        broker_url({}, tmp_path)
