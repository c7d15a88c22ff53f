"""The process's own environment: the one place where the command line reads it."""

import os
from collections.abc import Mapping

from fleet_cli.wrong_input import WrongInputError


def environment() -> Mapping[str, str]:
    """The variables this command was started with."""
    return dict(os.environ)  # noqa: TID251 - the edge at which it is read once and handed on


def required(environ: Mapping[str, str], name: str, example: str) -> str:
    """The variable `name`; raises WrongInputError with a sentence if it is not set."""
    value = environ.get(name, "")
    if not value:
        raise WrongInputError(f"{name} is not set; set it in the environment, as in {name}={example}")
    return value
