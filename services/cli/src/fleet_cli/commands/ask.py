"""`fleet ask`: one question to a running fleet."""

from typing import Annotated, Literal

import typer


def ask(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="The question; - reads it from standard input.")
    ],
    model: Annotated[str, typer.Option(help="deepseek-flash or deepseek-v4-pro.")] = "deepseek-flash",
    system: Annotated[str, typer.Option(help="What the model is told before the question.")] = "",
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Most tokens of the answer, thinking included.")
    ] = None,
    thinking: Annotated[
        bool | None, typer.Option(help="Whether the model thinks first; DeepSeek's default is yes.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Who asks.")] = "default",
    lane: Annotated[
        Literal["interactive", "batch"], typer.Option(help="batch for what can wait.")
    ] = "interactive",
    request_id: Annotated[
        str,
        typer.Option(
            "--id",
            metavar="ID",
            help="Its correlation ID; the same question under it again brings the stored answer, unpaid.  "
            "[default: random]",
        ),
    ] = "",
    retry: Annotated[
        int, typer.Option(min=0, help="Count up to ask anew under an ID that ended in a failure.")
    ] = 0,
    timeout: Annotated[
        float, typer.Option(min=1, max=86_400, help="Seconds to wait for the whole answer.")
    ] = 900,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole answer, or the failure, as one JSON object.")
    ] = False,
) -> None:
    """Ask a question, and print the answer as it is written.

    It goes through the broker of AMQP_URL, or of the stack that runs in this folder. The answer goes to
    standard output; thinking, usage, cost and time go to standard error. In a pipe the answer comes whole at
    its end, because a restart can take nothing back there. Ends with 0 after an answer, 1 after a failure, 2
    after wrong input, 130 after Ctrl-C.
    """
    from fleet_cli.asking import (  # late: other commands start faster without the client
        Question,
        ask_and_show,
        checked_tenant,
        messages_of,
        prompt_of,
    )
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.stack.stack_env import broker_url
    from fleet_contracts.grammar import Lane

    url, checked = broker_url(environment()), checked_tenant(tenant)
    given = {
        "id": request_id or None,
        "retry": retry,
        "model": model,
        "max_tokens": max_tokens,
        "thinking": thinking,
    }
    options = {name: value for name, value in given.items() if value is not None}
    question = Question(messages_of(prompt_of(prompt), system), checked, timeout, Lane(lane), options)
    run_in_foreground(ask_and_show(url, question, as_json=as_json))
