"""The fleet command: one of `commands` does what is asked, one sentence says what went wrong."""

import logging
import sys

import typer
from typer.main import get_command

from fleet_cli.commands.ask import ask
from fleet_cli.commands.audit import audit
from fleet_cli.commands.batch import batch
from fleet_cli.commands.chat import chat
from fleet_cli.commands.demo import demo
from fleet_cli.commands.dlq import dlq
from fleet_cli.commands.doctor import doctor
from fleet_cli.commands.help import help_
from fleet_cli.commands.limits import limits
from fleet_cli.commands.metrics import metrics
from fleet_cli.commands.root import root
from fleet_cli.commands.settings import settings
from fleet_cli.commands.show import show
from fleet_cli.commands.simulator import simulator
from fleet_cli.commands.status import status
from fleet_cli.commands.tail import tail
from fleet_cli.commands.tenant import tenant
from fleet_cli.commands.topology import topology
from fleet_cli.commands.up import up
from fleet_cli.commands.usage import usage
from fleet_cli.commands.worker import worker
from fleet_cli.console import accept_any_text, complain
from fleet_cli.wrong_input import WrongInputError

PROGRAM = "fleet"
FAILED = 1
WRONG_INPUT = 2
INTERRUPTED = 130

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.callback()(root)
app.command()(up)
app.command()(demo)
app.command()(ask)
app.command()(chat)
app.command()(tail)
app.command()(show)
app.command()(status)
app.command()(doctor)
app.command()(worker)
app.command()(settings)
app.command()(metrics)
app.command(
    add_help_option=False, context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)(simulator)
app.command()(usage)
app.command()(audit)
app.add_typer(batch, name="batch")
app.add_typer(dlq, name="dlq")
app.add_typer(limits, name="limits")
app.add_typer(tenant, name="tenant")
app.add_typer(topology, name="topology")
app.command("help")(help_)


def main() -> None:
    """Run the fleet command; the process ends with 0, 1 (it failed), 2 (wrong input) or 130 (Ctrl-C)."""
    # What goes wrong with a broker is said in our own sentence; these libraries would say it again.
    for library in ("aiormq", "aio_pika", "fleet_client"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
    accept_any_text()
    sys.exit(status_of(sys.argv[1:]))


def status_of(arguments: list[str]) -> int:
    """Run one command; its exit status. Whatever the person can mend is one sentence on stderr."""
    try:
        return int(app(arguments, prog_name=PROGRAM, standalone_mode=False) or 0)
    except KeyboardInterrupt:
        return INTERRUPTED
    except typer.TyperException as wrong:
        complain(_advised(wrong, arguments))
        return WRONG_INPUT
    except _failures() as failure:
        complain(str(failure))
        return WRONG_INPUT if isinstance(failure, _wrong_input()) else FAILED


def _advised(wrong: typer.TyperException, arguments: list[str]) -> str:
    context: typer.Context | None = getattr(wrong, "ctx", None)
    path = _command_in(arguments) if context is None else context.command_path
    # The second is pydantic's word for its own reader.
    said = wrong.format_message().strip().rstrip(".").replace("Value error, ", "")
    return f"{said}; see `{path} --help`" if said else ""


def _command_in(arguments: list[str]) -> str:
    names: dict[str, object] = getattr(get_command(app), "commands", {})
    return " ".join([PROGRAM, *(word for word in arguments[:1] if word in names)])


def _failures() -> tuple[type[Exception], ...]:
    # Late, as all of it is needed only after something failed, and loads the AMQP library.
    from fleet_chassis.service import CannotStartError
    from fleet_chassis.store import StoreScriptError, StoreUnavailableError
    from fleet_chassis.topology import TopologyError
    from fleet_cli.batch.errors import BatchError
    from fleet_cli.connecting import BrokerError
    from fleet_cli.rights.management import ManagementError
    from fleet_cli.stack.errors import StackError
    from fleet_client import FleetError

    store = (StoreUnavailableError, StoreScriptError)
    ours = (CannotStartError, StackError, TopologyError, ManagementError, BrokerError, BatchError)
    return (*ours, *store, FleetError, *_wrong_input())


def _wrong_input() -> tuple[type[Exception], ...]:
    from fleet_chassis.settings import SettingsError

    return (WrongInputError, SettingsError)
