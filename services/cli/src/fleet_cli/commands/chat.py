"""`fleet chat`: a conversation with a running fleet, which keeps its history."""

from typing import Annotated

import typer


def chat(
    conversation: Annotated[
        str,
        typer.Option(
            "--id",
            metavar="ID",
            help="The conversation's name; the same one later goes on where it was.  [default: random]",
        ),
    ] = "",
    model: Annotated[str, typer.Option(help="deepseek-flash or deepseek-v4-pro.")] = "deepseek-flash",
    system: Annotated[str, typer.Option(help="What the model is told before all else.")] = "",
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Most tokens of one answer, thinking included.")
    ] = None,
    thinking: Annotated[
        bool | None, typer.Option(help="Whether the model thinks first; DeepSeek's default is yes.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Who asks.")] = "default",
    timeout: Annotated[
        float, typer.Option(min=1, max=86_400, help="Seconds to wait for one whole answer.")
    ] = 900,
) -> None:
    """Talk line by line; what was said is kept.

    Each line is a turn; an empty one is not. /clear forgets what was said, /cost sums up this session,
    /history shows what is kept, /quit or the end of input ends. Answers go to standard output, all else to
    standard error. In a pipe each answer comes whole, and the first failure ends the command. Ends with 0, 1
    after a failure in a pipe, 2 after wrong input, 130 after Ctrl-C.
    """
    from fleet_cli.asking import checked_tenant  # late: other commands start faster without the client
    from fleet_cli.chatting import Chat, talk
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.stack.stack_env import broker_url

    url = broker_url(environment())
    fields = {"max_tokens": max_tokens, "thinking": thinking}
    options = {name: value for name, value in fields.items() if value is not None}
    wanted = Chat(
        conversation, checked_tenant(tenant), timeout, {"model": model, "system": system or None, **options}
    )
    run_in_foreground(talk(url, wanted))
