"""`fleet ask`: one question to a running fleet."""

from typing import Annotated

import typer


def ask(
    prompt: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    model: Annotated[str, typer.Option(help="deepseek-flash or deepseek-v4-pro.")] = "deepseek-flash",
    thinking: Annotated[
        bool | None, typer.Option(help="Whether the model thinks first; DeepSeek's default is yes.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Who asks.")] = "default",
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the whole answer.")] = 900,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole result as one JSON object.")
    ] = False,
) -> None:
    """Ask the fleet of AMQP_URL, or of the stack that runs in this folder, and print the answer as it comes.

    The answer goes to standard output; thinking, usage, cost and time go to standard error.
    """
    from fleet_cli.asking import (  # late: other commands start faster without the client
        Question,
        ask_and_show,
    )
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.stack.stack_env import broker_url

    question = Question(prompt, model, thinking, tenant, timeout)
    run_in_foreground(ask_and_show(broker_url(environment()), question, as_json=as_json))
