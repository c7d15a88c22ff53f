"""`fleet status`: how the whole fleet stands now."""

from typing import Annotated

import typer


def status(
    worker: Annotated[
        list[str] | None,
        typer.Option(
            help="A worker's metrics page, as in http://127.0.0.1:9090/metrics; may be repeated. A name with "
            "several addresses stands for all of them. Those of METRICS_URL (with commas between), or of the "
            "stack that runs here, where left out."
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every second until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show lanes, workers, what is in flight and for how long, rates, and the shared limits.

    Looks at the broker of AMQP_URL and the store of REDIS_URL, or else at the stack that runs in this folder.
    Takes nothing from any queue. What does not answer is left out and said at the end, and the command ends
    with 1 then.
    """
    from fleet_chassis.clock import SystemClock  # late: other commands start faster without all this
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.status.showing import show_status

    looking = show_status(environment(), SystemClock(), worker or [], watch=watch, as_json=as_json)
    raise typer.Exit(0 if run_in_foreground(looking) else 1)
