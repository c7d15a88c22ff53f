"""What `fleet` itself takes, before any command."""

from typing import Annotated

import typer


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # late: no command needs it

        from fleet_cli.console import say

        say(f"fleet {version('deepseek-fleet-cli')}")
        raise typer.Exit


def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit."),
    ] = False,
) -> None:
    """Run DeepSeek workers, ask them, and look after them."""
    del version  # shown by its callback, before any command runs
