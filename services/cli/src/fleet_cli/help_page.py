"""Pure: the help of every command on one Markdown page, printed from the commands themselves."""

from collections.abc import Iterator
from typing import cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

PROGRAM = "fleet"
WIDTH = 100

Command = TyperGroup | TyperCommand

HEADING = """# The command line

`fleet COMMAND --help` shows each of these. Every command ends with 0 where it did what was asked, 1 where it
failed, 2 where the input was wrong, and 130 after Ctrl-C; what is wrong is one sentence on standard error.

`fleet --install-completion` lets bash, zsh, fish and PowerShell complete commands and options.

Printed by `fleet help > services/cli/HELP.md`.
"""


def help_page(app: typer.Typer) -> str:
    """The Markdown page of `app`: one section for each command that is not hidden."""
    sections = [
        f"## {path}\n\n```text\n{text}\n```\n"
        for path, text in _helps(cast("Command", get_command(app)), PROGRAM)
    ]
    return "\n".join([HEADING, *sections])


def _helps(command: Command, path: str) -> Iterator[tuple[str, str]]:
    command.rich_markup_mode = None  # plain text, the same on every terminal
    context = typer.Context(command, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH)
    yield path, _without_trailing_blanks(command.get_help(context))
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            if not inner.hidden:
                yield from _helps(cast("Command", inner), f"{path} {name}")


def _without_trailing_blanks(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())
