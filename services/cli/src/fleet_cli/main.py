"""The fleet command: one of `commands` does what is asked, one sentence says what went wrong."""

import logging
import sys

import typer

from fleet_cli.commands.ask import ask
from fleet_cli.commands.demo import demo
from fleet_cli.commands.settings import settings
from fleet_cli.commands.simulator import simulator
from fleet_cli.commands.topology import topology
from fleet_cli.commands.up import up
from fleet_cli.commands.worker import worker
from fleet_cli.console import complain

FAILED = 1
WRONG_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(
    help="Run, feed and look after a fleet of DeepSeek workers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up)
app.command()(demo)
app.command()(ask)
app.command()(worker)
app.command()(settings)
app.command(
    add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)(simulator)
app.add_typer(topology, name="topology")


def main() -> None:
    """Run the fleet command; the process ends with 0, 1 (it failed), 2 (wrong input) or 130 (Ctrl-C)."""
    # What goes wrong with a broker is said in our own sentence; these libraries would say it again.
    for library in ("aiormq", "aio_pika"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    sys.exit(status_of(sys.argv[1:]))


def status_of(arguments: list[str]) -> int:
    """Run one command; its exit status. Whatever the person can mend is one sentence on stderr."""
    try:
        return int(app(arguments, prog_name="fleet", standalone_mode=False) or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.TyperException as wrong:
        complain(wrong.format_message())
        return WRONG_INPUT
    except _failures() as failure:
        complain(str(failure))
        return WRONG_INPUT if isinstance(failure, _wrong_settings()) else FAILED


def _failures() -> tuple[type[Exception], ...]:
    # Late, as all of it is needed only after something failed, and loads the AMQP library.
    from fleet_chassis.topology import TopologyError
    from fleet_cli.stack.errors import StackError
    from fleet_client import FleetError

    return (StackError, TopologyError, FleetError, _wrong_settings())


def _wrong_settings() -> type[Exception]:
    from fleet_chassis.settings import SettingsError

    return SettingsError
