"""`fleet topology`: the exchanges and queues of the fleet, and who may use them."""

from pathlib import Path
from typing import Annotated

import typer

topology = typer.Typer(
    help="Show the fleet's exchanges, queues and users, or declare them on a broker.", no_args_is_help=True
)

Users = Annotated[
    bool, typer.Option("--users", help="Also the users of the fleet's programs, with their rights.")
]
Tenants = Annotated[
    list[str] | None,
    typer.Option("--tenant", metavar="TENANT", help="Also the user of this tenant; may be repeated."),
]


@topology.command()
def apply(
    users: Users = False,
    tenant: Tenants = None,
    passwords: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Holds the users' passwords, a file for each; for a new user without one it is made there.",
        ),
    ] = None,
) -> None:
    """Declare everything on the broker of AMQP_URL; what is there already is left alone.

    Users are made over the management API: of MANAGEMENT_URL, or of AMQP_URL's host and user. Passwords may
    also come as a JSON object in FLEET_PASSWORDS. A user that exists keeps its password unless one is given;
    its rights are set right.
    """
    import asyncio  # late: `fleet --help` needs none of it

    from fleet_chassis.clock import SystemClock
    from fleet_chassis.topology import apply as declare
    from fleet_cli.amqp_url import EXAMPLE, place_of
    from fleet_cli.audit.recording import audited
    from fleet_cli.console import say
    from fleet_cli.environment import environment, operator, required
    from fleet_cli.rights.keeping import keep, wanted_users

    environ = environment()
    url = required(environ, "AMQP_URL", EXAMPLE)
    place_of(url)
    everybody = wanted_users(tenant or ()) if users or tenant or passwords else ()
    declared = asyncio.run(audited(environ, SystemClock(), operator(environ), declare(url)))
    counts = f"{len(declared.exchanges)} exchanges, {len(declared.queues)} queues"
    say(f"applied {counts} and {len(declared.bindings)} bindings")
    if everybody:
        asyncio.run(keep(environ, url, everybody, passwords))


@topology.command()
def show(users: Users = False, tenant: Tenants = None) -> None:
    """Print everything as a RabbitMQ definitions file; the users have no passwords in it."""
    import json  # late: `fleet --help` needs none of it

    from fleet_cli.console import say
    from fleet_cli.rights.keeping import wanted_users
    from fleet_contracts.definitions import definitions, user_definitions

    tenants = tenant or ()
    found = definitions()
    if users or tenants:
        wanted_users(tenants)
        found |= user_definitions(tenants)
    say(json.dumps(found, indent=2))
