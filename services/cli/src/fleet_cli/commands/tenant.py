"""`fleet tenant`: what is set for each tenant."""

from typing import Annotated

import typer

from fleet_cli.commands.bounds import MOST_A_MINUTE, MOST_CALLS, MOST_DOLLARS

tenant = typer.Typer(help="Show and set the limits and budgets of tenants; forget one.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="TENANT", help="Who asks; '*' for all without limits of their own.")
]


@tenant.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the tenants that something is set for; money in US dollars."""
    from fleet_chassis.clock import (
        SystemClock,
    )  # late: other commands start faster without the store's library
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.showing import show_tenants

    run_in_foreground(show_tenants(environment(), SystemClock(), as_json=as_json))


@tenant.command("set")
def set_(
    name: Name,
    weight: Annotated[
        float | None,
        typer.Option(min=0, max=1000, help="How much more than others it gets while all of them wait."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=0, max=MOST_CALLS, help="Calls at once, for each model.")
    ] = None,
    rpm: Annotated[
        int | None, typer.Option(min=0, max=MOST_A_MINUTE, help="Requests a minute, for each model.")
    ] = None,
    tpm: Annotated[
        int | None, typer.Option(min=0, max=MOST_A_MINUTE, help="Tokens a minute, for each model.")
    ] = None,
    day: Annotated[
        float | None, typer.Option(min=0, max=MOST_DOLLARS, help="US dollars a day (UTC), over all models.")
    ] = None,
    month: Annotated[
        float | None,
        typer.Option(min=0, max=MOST_DOLLARS, help="US dollars a month (UTC), over all models."),
    ] = None,
) -> None:
    """Set what a tenant may use; 0 takes a limit away. Every worker obeys from its next call on."""
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.audit.recording import audited
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.setting import set_tenant

    wanted = {
        "weight": weight,
        "concurrency": concurrency,
        "rpm": rpm,
        "tpm": tpm,
        "day": day,
        "month": month,
    }
    environ, clock = environment(), SystemClock()
    work = set_tenant(environ, clock, name, wanted)
    run_in_foreground(audited(environ, clock, operator(environ), work))


@tenant.command()
def clear(name: Name) -> None:
    """Take away every limit and budget of a tenant; what it used stays counted, its queues stay."""
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.audit.recording import audited
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.setting import clear_tenant

    environ, clock = environment(), SystemClock()
    work = clear_tenant(environ, clock, name)
    run_in_foreground(audited(environ, clock, operator(environ), work))


@tenant.command()
def add(name: Annotated[str, typer.Argument(metavar="TENANT", help="Who asks.")]) -> None:
    """Give a tenant queues of its own, so that its backlog stands in nobody's way.

    Declares them on the broker of AMQP_URL; running workers take them up at once. What waits already stays
    where it is.
    """
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.audit.recording import audited
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.tenant_queues import add_queues

    environ, clock = environment(), SystemClock()
    work = add_queues(environ, clock, name)
    run_in_foreground(audited(environ, clock, operator(environ), work))


@tenant.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="TENANT", help="Who asks.")],
    within: Annotated[float, typer.Option(min=1, help="Seconds that its queues get to drain.")] = 60,
) -> None:
    """Take a tenant's own queues away: unbind, drain, delete. Its limits stay.

    If they are not empty in time it ends with 1, they are served on, and nothing new gets there.
    """
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.audit.recording import audited
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.tenant_queues import remove_queues

    environ, clock = environment(), SystemClock()
    work = remove_queues(environ, clock, name, within)
    run_in_foreground(audited(environ, clock, operator(environ), work))


@tenant.command()
def forget(
    name: Annotated[str, typer.Argument(metavar="TENANT", help="Whom to forget.")],
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
) -> None:
    """Remove what the store keeps of a tenant, after a question.

    That is what is known of its requests with their replies, its conversations, its limits and budgets, and
    what it used. Nothing that runs or waits is touched: it is told and left, and the same command removes it
    when it has ended. Says what it can't reach, as dead letters. Who asks again under an old ID is answered,
    and pays, anew. Ends with 1 where something was left.
    """
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.agreeing import agreed
    from fleet_cli.audit.recording import audited
    from fleet_cli.console import say
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.forgetting import forget_tenant
    from fleet_cli.limits.setting import checked

    tenant_name = checked(name, everybody=False)
    question = f"Forget all that the store keeps of {tenant_name}, for good?"
    if not yes and not agreed(question, "nothing forgotten"):
        say("nothing forgotten")
        return
    environ, clock = environment(), SystemClock()
    work = forget_tenant(environ, clock, tenant_name)
    is_whole = run_in_foreground(audited(environ, clock, operator(environ), work))
    raise typer.Exit(0 if is_whole else 1)
