"""`fleet up`: the whole stack in the foreground."""

import asyncio
from typing import Annotated

import typer


def up(
    workers: Annotated[int, typer.Option(min=0, max=64, help="How many workers; 0 leaves them to you.")] = 1,
) -> None:
    """Bring up the whole stack and keep it until Ctrl-C.

    Its addresses are in .fleet/stack.env while it runs, its logs in .fleet/logs. With DEEPSEEK_BASE_URL or
    DEEPSEEK_API_KEY set, that is the upstream; a simulator stands in otherwise.
    """
    from fleet_cli.foreground import run_in_foreground  # late: other commands start faster without the stack

    run_in_foreground(_up(workers))


async def _up(workers: int) -> None:
    from fleet_cli.console import say
    from fleet_cli.environment import environment
    from fleet_cli.stack.local import Plan, local_stack
    from fleet_cli.stack.stack_env import FOLDER, published

    plan = Plan(workers=workers, only_simulator=False)
    async with local_stack(say, plan, environ=environment(), folder=FOLDER) as stack:
        with published(stack.addresses, FOLDER) as file:
            say(f"the stack is up: its addresses are in {file}, its logs in {stack.logs}; Ctrl-C ends it")
            try:
                await stack.watch()
                await asyncio.Event().wait()
            finally:
                say("stopping the stack")
