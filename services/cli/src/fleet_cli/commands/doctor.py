"""`fleet doctor`: what is wrong, and what to do about it."""

from typing import Annotated

import typer


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as one JSON object.")] = False,
) -> None:
    """Find out what is wrong, and what to do about it.

    Looks at the broker, its topology and queues, the store, the upstream and this machine, as AMQP_URL,
    REDIS_URL and DEEPSEEK_* name them, or else the stack that runs in this folder. Changes nothing and makes
    no call that is billed. Ends with 0 where all is fine (a warning, !, is), with 1 where something failed.
    """
    import asyncio  # late: other commands start faster without all this

    import orjson

    from fleet_chassis.clock import SystemClock
    from fleet_cli.console import say
    from fleet_cli.doctor.check import is_fine, report
    from fleet_cli.doctor.diagnosis import diagnose
    from fleet_cli.environment import environment
    from fleet_cli.stack.stack_env import FOLDER

    checks = asyncio.run(diagnose(environment(), FOLDER, SystemClock()))
    if as_json:
        say(orjson.dumps(report(checks), option=orjson.OPT_INDENT_2).decode())
    for check in () if as_json else checks:
        say(check.line())
    raise typer.Exit(0 if is_fine(checks) else 1)
