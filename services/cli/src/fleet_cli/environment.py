"""The process's own environment: the one place where the command line reads it."""

import os
from collections.abc import Mapping


def environment() -> Mapping[str, str]:
    """The variables this command was started with."""
    return dict(os.environ)  # noqa: TID251 - the edge at which it is read once and handed on


def required(environ: Mapping[str, str], name: str, example: str) -> str:
    """The variable `name`; raises SettingsError with a sentence if it is not set."""
    from fleet_chassis.settings import SettingsError  # late: `fleet --help` needs no settings

    value = environ.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set; set it in the environment, as in {name}={example}")
    return value
