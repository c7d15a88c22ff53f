"""`fleet tenant`: what is set for each tenant."""

from typing import Annotated

import typer

tenant = typer.Typer(help="Show and set the limits and budgets of tenants.", no_args_is_help=True)

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
        float | None, typer.Option(min=0, help="How much more than others it gets while all of them wait.")
    ] = None,
    concurrency: Annotated[int | None, typer.Option(min=0, help="Calls at once, for each model.")] = None,
    rpm: Annotated[int | None, typer.Option(min=0, help="Requests a minute, for each model.")] = None,
    tpm: Annotated[int | None, typer.Option(min=0, help="Tokens a minute, for each model.")] = None,
    day: Annotated[float | None, typer.Option(min=0, help="US dollars a day (UTC), over all models.")] = None,
    month: Annotated[
        float | None, typer.Option(min=0, help="US dollars a month (UTC), over all models.")
    ] = None,
) -> None:
    """Set what a tenant may use; 0 takes a limit away. Every worker obeys from its next call on."""
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.environment import environment
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
    run_in_foreground(set_tenant(environment(), SystemClock(), name, wanted))


@tenant.command()
def remove(name: Name) -> None:
    """Take away everything that was set for a tenant; what it used stays counted."""
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.limits.setting import remove_tenant

    run_in_foreground(remove_tenant(environment(), SystemClock(), name))
