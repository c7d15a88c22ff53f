"""`fleet limits`: the shared limiter."""

from typing import Annotated

import typer

from fleet_cli.commands.bounds import MOST_A_MINUTE, MOST_CALLS

limits = typer.Typer()

Watch = Annotated[bool, typer.Option("--watch", help="Show it again every 2 seconds until Ctrl-C.")]
Account = Annotated[str, typer.Option(help="The account's name, as in FLEET_ACCOUNT.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@limits.callback(invoke_without_command=True)
def limits_(context: typer.Context, *, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show how the shared limiter stands, as `fleet limits show`, or change its limits."""
    if context.invoked_subcommand is None:
        show(watch=watch, as_json=as_json)


@limits.command()
def show(*, watch: Watch = False, as_json: AsJson = False) -> None:
    """Show every pool (account and model): its limit now, calls in flight, who waits, what was learned.

    limit is what is granted now: at most what is configured, less where DeepSeek's answers taught it.
    """
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
    concurrency: Annotated[int | None, typer.Option(min=0, max=MOST_CALLS, help="Calls at once.")] = None,
    rpm: Annotated[int | None, typer.Option(min=0, max=MOST_A_MINUTE, help="Requests a minute.")] = None,
    tpm: Annotated[
        int | None, typer.Option(min=0, max=MOST_A_MINUTE, help="Tokens a minute, input and output.")
    ] = None,
    account: Account = "default",
    reserve: Annotated[
        float | None, typer.Option(min=0, max=0.99, help="Share of the calls at once that batch leaves free.")
    ] = None,
) -> None:
    """Set limits for the whole fleet, in place of what the workers were started with.

    0 takes a limit away that was set here (a reserve of 0 is a value: `fleet limits clear` takes it away).
    Every worker obeys from its next call on; calls that run are never ended for it.
    """
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.audit.recording import audited
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.setting import Pool, set_limits

    pool = None if model is None else Pool(account, model)
    wanted = {"concurrency": concurrency, "rpm": rpm, "tpm": tpm}
    environ, clock = environment(), SystemClock()
    work = set_limits(environ, clock, pool, wanted, reserve)
    run_in_foreground(audited(environ, clock, operator(environ), work))


@limits.command()
def clear(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="As in deepseek-flash; all where left out.")
    ] = None,
    account: Account = "default",
) -> None:
    """Take away what `fleet limits set` has set for a model; without one, all of it, the reserve too.

    What the workers were started with holds again from their next call on.
    """
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.audit.recording import audited
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.setting import Pool, clear_limits

    environ, clock = environment(), SystemClock()
    work = clear_limits(environ, clock, None if model is None else Pool(account, model))
    run_in_foreground(audited(environ, clock, operator(environ), work))


@limits.command()
def relearn(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As in deepseek-flash.")],
    account: Account = "default",
) -> None:
    """Forget what DeepSeek's answers taught of a model's limit: it begins again as one never called.

    For when the reason is gone, as after topping the account up: the limit comes back by itself, but that
    takes minutes. Where the reason is still there, the next refusal teaches it again.
    """
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.audit.recording import audited
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.setting import Pool
    from fleet_cli.limits.setting import relearn as relearned

    environ, clock = environment(), SystemClock()
    work = relearned(environ, clock, Pool(account, model))
    run_in_foreground(audited(environ, clock, operator(environ), work))
