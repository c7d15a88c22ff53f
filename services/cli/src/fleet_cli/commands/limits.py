"""`fleet limits`: the shared limiter."""

from typing import Annotated

import typer

limits = typer.Typer()

Watch = Annotated[bool, typer.Option("--watch", help="Show it again every 2 seconds until Ctrl-C.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@limits.callback(invoke_without_command=True)
def limits_(context: typer.Context, *, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show how the shared limiter stands, as `fleet limits show`, or change its limits."""
    if context.invoked_subcommand is None:
        show(watch=watch, as_json=as_json)


@limits.command()
def show(*, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show every pool (account and model): its limit now, calls in flight, who waits, what was learned."""
    from fleet_chassis.clock import (
        SystemClock,
    )  # late: other commands start faster without the store's library
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.showing import show_limits

    run_in_foreground(show_limits(environment(), SystemClock(), watch=watch, as_json=as_json))


@limits.command("set")
def set_(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="As in deepseek-flash.")] = None,
    concurrency: Annotated[int | None, typer.Option(min=0, help="Calls at once.")] = None,
    rpm: Annotated[int | None, typer.Option(min=0, help="Requests a minute.")] = None,
    tpm: Annotated[int | None, typer.Option(min=0, help="Tokens a minute, input and output.")] = None,
    account: Annotated[str, typer.Option(help="The account's name, as in FLEET_ACCOUNT.")] = "default",
    reserve: Annotated[
        float | None, typer.Option(min=0, max=0.99, help="Share of the calls at once that batch leaves free.")
    ] = None,
) -> None:
    """Set limits for the whole fleet, in place of what the workers were started with.

    0 takes away what was set here. Every worker obeys from its next call on.
    """
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.audit.recording import audited
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.setting import set_limits

    pool = None if model is None else f"{account}/{model}"
    wanted = {"concurrency": concurrency, "rpm": rpm, "tpm": tpm}
    environ, clock = environment(), SystemClock()
    work = set_limits(environ, clock, pool, wanted, reserve)
    run_in_foreground(audited(environ, clock, operator(environ), work))
