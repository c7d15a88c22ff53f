"""Where the passwords of users come from: the environment, a folder with a file for each, or chance.

None of them is ever shown, logged or sent: the broker is given their hashes.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from fleet_cli.wrong_input import WrongInputError

VARIABLE = "FLEET_PASSWORDS"
ALGORITHM = "rabbit_password_hashing_sha256"
SALT_BYTES = 4
RANDOM_BYTES = 32
OWNER_ONLY_FILE, OWNER_ONLY_FOLDER = 0o600, 0o700


class Passwords:
    """The passwords that an operator has given, and a place for new ones.

    Args:
        environ: its variable FLEET_PASSWORDS may hold a JSON object, a password for each user.
        folder: holds a file for each user, named like it, as Kubernetes mounts a secret; None where there is
            none.

    Raises:
        WrongInputError: the variable is no such object.
    """

    def __init__(self, environ: Mapping[str, str], folder: Path | None) -> None:
        self._given = _read(environ.get(VARIABLE, ""))
        self._folder = folder

    def given(self, user: str) -> str | None:
        """The password that was given for `user`, by the environment or else by a file.

        Raises:
            WrongInputError: its file is empty or can't be read.
        """
        if user in self._given:
            return self._given[user]
        file = None if self._folder is None else self._folder / user
        if file is None or not file.exists():
            return None
        try:
            password = file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise WrongInputError(
                f"{file} can't be read ({type(error).__name__}): it holds a password"
            ) from error
        if not password:
            raise WrongInputError(f"{file} is empty: write a password into it, or remove it to have one made")
        return password

    def new(self, user: str) -> str:
        """A random password for `user`, written once into the folder, for its owner's eyes only.

        Raises:
            WrongInputError: there is no folder, or it can't be written to.
        """
        if self._folder is None:
            raise WrongInputError(
                f"{user} is new and has no password: name a folder with --passwords, where one is made "
                f"for it, or give it in {VARIABLE}"
            )
        password = secrets.token_urlsafe(RANDOM_BYTES)
        file = self._folder / user
        try:
            self._folder.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
            # Never over one that is there: another run may have just made it, and told the broker.
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY_FILE), "w") as out:
                out.write(f"{password}\n")
        except OSError as error:
            raise WrongInputError(
                f"{file} can't be written ({type(error).__name__}): name another folder"
            ) from error
        return password


def hashed(password: str, salt: bytes | None = None) -> str:
    """The password as RabbitMQ keeps it: https://www.rabbitmq.com/docs/passwords#computing-password-hash."""
    salted = secrets.token_bytes(SALT_BYTES) if salt is None else salt
    return base64.b64encode(salted + hashlib.sha256(salted + password.encode()).digest()).decode()


def fits(password: str, password_hash: str, algorithm: str) -> bool:
    """Whether this is the password behind what the broker keeps."""
    if algorithm != ALGORITHM:
        return False
    try:
        salt = base64.b64decode(password_hash, validate=True)[:SALT_BYTES]
    except ValueError:
        return False
    return hmac.compare_digest(hashed(password, salt), password_hash)


def _read(text: str) -> dict[str, str]:
    try:
        found: Any = json.loads(text) if text else {}
    except ValueError:
        found = None  # said below, without the text: it holds passwords
    if not isinstance(found, dict):
        raise _wrong()
    entries = cast("dict[str, Any]", found)
    if not all(isinstance(password, str) and password for password in entries.values()):
        raise _wrong()
    return entries


def _wrong() -> WrongInputError:
    return WrongInputError(
        f'{VARIABLE} is wrong: set it to a JSON object, as in {{"fleet-worker": "password"}}'
    )
