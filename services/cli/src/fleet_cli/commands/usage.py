"""`fleet usage`: what was used, and what it cost."""

from typing import Annotated

import typer

FIELDS = ("tenant", "model", "day")


def usage(
    by: Annotated[
        str, typer.Option(help="What to add up by: tenant, model and day, with commas.")
    ] = "tenant,model,day",
    days: Annotated[int, typer.Option(min=1, max=62, help="So many days (UTC), today included.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show calls, tokens and US dollars as the workers counted them; the provider's bill is what counts.

    A call that broke off or was cancelled is counted with an estimate, as DeepSeek does not say what it bills
    for one: its input and the output that had come, and half as much again, in tokens and in dollars.
    """
    from fleet_chassis.clock import (
        SystemClock,
    )  # late: other commands start faster without the store's library
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.showing import show_usage
    from fleet_cli.wrong_input import WrongInputError

    fields = list(dict.fromkeys(word.strip() for word in by.split(",") if word.strip()))
    if not fields or set(fields) - set(FIELDS):
        raise WrongInputError(
            f"--by {by} can't be used: give some of {', '.join(FIELDS)}, with commas between"
        )
    run_in_foreground(show_usage(environment(), SystemClock(), fields, days, as_json=as_json))
