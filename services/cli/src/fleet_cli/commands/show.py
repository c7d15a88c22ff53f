"""`fleet show`: the life of one request."""

from typing import Annotated

import typer


def show(
    correlation_id: Annotated[
        str, typer.Argument(metavar="CORRELATION-ID", help="The request's correlation ID.")
    ],
    tenant: Annotated[str, typer.Option(help="Who asked.")] = "default",
    retry: Annotated[int, typer.Option(min=0, help="Which time it was asked, from 0: its fleet-retry.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Show what became of one request: its attempts, its end, its dead letter.

    Reads the ledger in the store of REDIS_URL, or of the stack that runs in this folder. Shows no text of
    the request or its answer, and changes nothing. Ends with 1 where nothing is known of it.
    """
    from fleet_chassis.clock import SystemClock  # late: other commands start faster without all this
    from fleet_cli.asking import checked_tenant
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.show.looking import show_life
    from fleet_cli.stack.stack_env import addressed, namespace_of
    from fleet_cli.wrong_input import WrongInputError

    if not correlation_id:
        raise WrongInputError("give the request's correlation ID, as its caller or its log line names it")
    variables = environment()
    key = (checked_tenant(tenant), correlation_id, retry)
    known = run_in_foreground(
        show_life(addressed(variables), namespace_of(variables), key, SystemClock(), as_json=as_json)
    )
    raise typer.Exit(0 if known else 1)
