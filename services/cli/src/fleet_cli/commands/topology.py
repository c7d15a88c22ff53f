"""`fleet topology`: the exchanges and queues of the fleet."""

import typer

topology = typer.Typer(
    help="Show the fleet's exchanges and queues, or declare them on a broker.", no_args_is_help=True
)


@topology.command()
def apply() -> None:
    """Declare everything on the broker of AMQP_URL; what is there already is left alone."""
    import asyncio  # late: `fleet --help` needs none of it

    from fleet_chassis.topology import apply as declare
    from fleet_cli.amqp_url import EXAMPLE, place_of
    from fleet_cli.console import say
    from fleet_cli.environment import environment, required

    url = required(environment(), "AMQP_URL", EXAMPLE)
    place_of(url)
    declared = asyncio.run(declare(url))
    counts = f"{len(declared.exchanges)} exchanges, {len(declared.queues)} queues"
    say(f"applied {counts} and {len(declared.bindings)} bindings")


@topology.command()
def show() -> None:
    """Print everything as a RabbitMQ definitions file."""
    import json  # late: `fleet --help` needs none of it

    from fleet_cli.console import say
    from fleet_contracts.definitions import definitions

    say(json.dumps(definitions(), indent=2))
