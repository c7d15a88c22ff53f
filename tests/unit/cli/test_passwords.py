"""Where passwords come from, and where they never go."""

import base64
import json
import stat
from pathlib import Path

import pytest

from fleet_cli.rights.passwords import ALGORITHM, VARIABLE, Passwords, fits, hashed
from fleet_cli.wrong_input import WrongInputError


def test_the_environment_goes_before_the_folder(tmp_path: Path):
    (tmp_path / "acme").write_text("of the file\n")
    (tmp_path / "billing").write_text("of the file\n")
    passwords = Passwords({VARIABLE: json.dumps({"acme": "of the environment"})}, tmp_path)
    assert passwords.given("acme") == "of the environment"
    assert passwords.given("billing") == "of the file"
    assert passwords.given("nobody") is None


def test_a_new_password_is_written_once_for_its_owner_alone(tmp_path: Path):
    folder = tmp_path / "made" / "here"
    passwords = Passwords({}, folder)
    password = passwords.new("acme")
    assert len(password) >= 43
    assert passwords.given("acme") == password
    assert stat.S_IMODE((folder / "acme").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(WrongInputError):
        passwords.new("acme")
    assert passwords.given("acme") == password


def test_a_new_user_without_a_place_for_its_password_is_refused_in_a_sentence():
    with pytest.raises(WrongInputError, match="acme is new and has no password: name a folder"):
        Passwords({}, None).new("acme")


@pytest.mark.parametrize("text", ["CANARY", "[]", '{"acme": ""}', '{"acme": 7}', '{"acme": ["CANARY"]}'])
def test_a_wrong_variable_is_refused_without_a_word_of_it(text: str):
    with pytest.raises(WrongInputError) as refused:
        Passwords({VARIABLE: text}, None)
    assert "CANARY" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe"])
def test_a_file_without_a_password_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "acme").write_bytes(content)
    with pytest.raises(WrongInputError, match="acme"):
        Passwords({}, tmp_path).given("acme")


def test_a_password_is_known_again_by_its_hash_and_no_other_is():
    kept = hashed("secret")
    assert fits("secret", kept, ALGORITHM)
    assert not fits("Secret", kept, ALGORITHM)
    assert not fits("secret", kept, "rabbit_password_hashing_sha512")
    assert not fits("", "", ALGORITHM)
    assert not fits("secret", "no base64", ALGORITHM)


def test_the_hash_is_rabbitmqs_own():
    # The worked example of RabbitMQ's documentation: salt 908DC60A, password "test12".
    expected = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    assert hashed("test12", bytes.fromhex("908DC60A")) == expected
    assert len(base64.b64decode(hashed("any"))) == 36
