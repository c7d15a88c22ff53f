"""The process's own environment: the one place where the command line reads it."""

import getpass
import os
import shlex
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from fleet_cli.wrong_input import WrongInputError


def environment() -> Mapping[str, str]:
    """The variables this command was started with, and the secrets that it was given as files.

    Raises:
        WrongInputError: there are no such files.
    """
    environ = dict(os.environ)  # noqa: TID251 - the edge at which it is read once and handed on
    folder = environ.get("FLEET_SECRETS_DIR")
    if not folder:
        return environ
    from fleet_chassis.settings import (  # late: most commands start faster without it
        SettingsError,
        secrets_in,
    )

    try:
        return {**secrets_in(folder), **environ}
    except SettingsError as error:
        raise WrongInputError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Operator:
    """Who runs this command, and what was typed."""

    who: str
    command: str


def operator(environ: Mapping[str, str]) -> Operator:
    """Who runs this command: FLEET_OPERATOR, else the user and the host."""
    who = environ.get("FLEET_OPERATOR") or f"{_user()}@{socket.gethostname()}"
    return Operator(who, shlex.join(["fleet", *sys.argv[1:]]))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number that no file of users knows, as in a container
        return str(os.getuid())


def required(environ: Mapping[str, str], name: str, example: str) -> str:
    """The variable `name`; raises WrongInputError with a sentence if it is not set."""
    value = environ.get(name, "")
    if not value:
        raise WrongInputError(f"{name} is not set; set it in the environment, as in {name}={example}")
    return value
