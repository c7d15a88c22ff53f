"""`fleet tail`: the results and failures of the fleet as they come."""

from typing import Annotated

import typer


def tail(
    pattern: Annotated[
        list[str] | None,
        typer.Option(
            help="Which replies, as <kind>.<tenant>.<model> with * for one word and # for any; may be "
            "repeated. Every result and failure where left out."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    content: Annotated[bool, typer.Option("--content", help="Show the text of the answers too.")] = False,
    count: Annotated[int, typer.Option(min=0, help="End after so many replies; 0 never ends.")] = 0,
) -> None:
    """Follow deepseek.results until Ctrl-C, one line for each reply.

    Reads along with everybody else and takes nothing from anybody; only the queue of results that nobody
    follows, deepseek.results.unheard, stays without what is followed here. A reader that is too slow loses
    the oldest replies, and is told so on standard error.
    """
    from fleet_chassis.clock import SystemClock  # late: other commands start faster without the AMQP library
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.stack.stack_env import broker_url
    from fleet_cli.tail.patterns import checked
    from fleet_cli.tail.showing import Wish, follow_and_show

    wish = Wish(as_json=as_json, content=content, count=count)
    url, patterns = broker_url(environment()), checked(pattern or ())
    run_in_foreground(follow_and_show(url, patterns, wish, SystemClock()))
