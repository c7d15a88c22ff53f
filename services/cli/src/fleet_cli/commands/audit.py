"""`fleet audit`: who changed what."""

from typing import Annotated

import typer


def audit(
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one entry a line.")] = False,
) -> None:
    """Show what operators changed, who and when: limits, tenants, dead letters, users, topology.

    Kept in the store, the newest 10,000. Who: FLEET_OPERATOR where it is set, else the user and host of the
    command. Each is written down before it is done (begun), and once more where it failed or was stopped.
    """
    from fleet_chassis.clock import (
        SystemClock,  # late: other commands start faster without the store's library
    )
    from fleet_cli.audit.showing import show_audit
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground

    run_in_foreground(show_audit(environment(), SystemClock(), limit, as_json=as_json))
