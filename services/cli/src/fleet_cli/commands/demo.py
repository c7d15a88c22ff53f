"""`fleet demo`: the stack, two requests, and what to do next."""

SPEED = 1.8
"""Fast enough not to bore, slow enough to watch."""


def demo() -> None:
    """Show a stack of its own at work, with a simulator, and take it down again."""
    from fleet_cli.foreground import run_in_foreground  # late: other commands start faster without the stack

    run_in_foreground(_demo())


async def _demo() -> None:
    import tempfile
    from pathlib import Path

    from rich.console import Console

    from fleet_cli.console import say
    from fleet_cli.demo import Demo
    from fleet_cli.environment import environment
    from fleet_cli.stack.local import Plan, local_stack

    console = Console(highlight=False)
    # A folder of its own: a stack that runs in this one keeps its addresses and logs.
    with tempfile.TemporaryDirectory(prefix="fleet-demo-") as folder:
        plan = Plan(workers=1, only_simulator=True, simulator_speed=SPEED)
        # Never on a broker or store that the person named: simulated text would answer what others ask there.
        own = {name: value for name, value in environment().items() if name not in {"AMQP_URL", "REDIS_URL"}}
        async with local_stack(say, plan, environ=own, folder=Path(folder)) as stack:
            await Demo(stack, console).run()
