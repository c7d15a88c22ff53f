"""Asks before something is gone for good."""

import typer

from fleet_cli.wrong_input import WrongInputError


def agreed(question: str, otherwise: str) -> bool:
    """Whether the person at the terminal says yes.

    Raises:
        WrongInputError: nobody is there to answer; `otherwise` says what that means, as in `nothing dropped`.
    """
    try:
        return typer.confirm(question)
    except typer.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from abort
        raise WrongInputError(f"{otherwise}, as nobody answered: say --yes to be asked nothing") from abort
