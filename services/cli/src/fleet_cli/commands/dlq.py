"""`fleet dlq`: the dead letters."""

from typing import Annotated

import typer

dlq = typer.Typer(
    help="Look at the dead letters, ask them again, or drop them.",
    no_args_is_help=True,
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID", help="Beginnings of ids, or correlation IDs.")]
Codes = Annotated[list[str] | None, typer.Option("--code", help="Only with this code; may be repeated.")]
Tenants = Annotated[list[str] | None, typer.Option("--tenant", help="Only of this tenant; may be repeated.")]
Older = Annotated[
    str | None, typer.Option("--older-than", metavar="AGE", help="Only older ones, as in 90m or 7d.")
]
Newer = Annotated[
    str | None, typer.Option("--newer-than", metavar="AGE", help="Only newer ones, as in 30s or 2h.")
]
All = Annotated[bool, typer.Option("--all", help="Every dead letter; needed where nothing else is chosen.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dlq.command("list")
def list_(
    code: Codes = None,
    tenant: Tenants = None,
    older_than: Older = None,
    newer_than: Newer = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List dead letters, the oldest first; takes nothing out of the queue.

    A dead letter is what was put aside unanswered, with a record of why. Its text is not shown.
    """
    from fleet_chassis.clock import SystemClock  # late: other commands start faster without the AMQP library
    from fleet_cli.dlq.choosing import chosen
    from fleet_cli.dlq.operating import list_letters
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.stack.stack_env import broker_url

    choice = chosen(None, code, tenant, older_than, newer_than)
    work = list_letters(broker_url(environment()), choice, SystemClock(), limit=limit, as_json=as_json)
    run_in_foreground(work)


@dlq.command()
def show(
    letter: Annotated[str, typer.Argument(metavar="ID", help="Beginning of an id, or a correlation ID.")],
    body: Annotated[bool, typer.Option("--body", help="Show the text of the request too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the record of one dead letter; takes nothing out of the queue."""
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.dlq.operating import show_letter
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.stack.stack_env import broker_url

    run_in_foreground(
        show_letter(broker_url(environment()), letter, SystemClock(), body=body, as_json=as_json)
    )


@dlq.command()
def redrive(
    ids: Ids = None,
    code: Codes = None,
    tenant: Tenants = None,
    older_than: Older = None,
    newer_than: Newer = None,
    everything: All = False,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="The workers are strict about tenants: publish as the user of AMQP_URL, which has to be one "
            "of their FLEET_TRUSTED_USERS.",
        ),
    ] = False,
) -> None:
    """Ask dead letters again: each goes back to its lane with the next fleet-retry, and without a deadline.

    A dead letter leaves its queue once the broker has confirmed its request. A command that is killed in
    between loses nothing, and redriving the same dead letter again asks nothing twice.
    """
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.audit.recording import audited
    from fleet_cli.dlq.choosing import chosen
    from fleet_cli.dlq.operating import redrive_letters
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.stack.stack_env import broker_url

    choice = chosen(ids, code, tenant, older_than, newer_than)
    _must_choose(choice.narrows, everything)
    environ, clock = environment(), SystemClock()
    work = redrive_letters(broker_url(environ), choice, clock, strict=strict)
    run_in_foreground(audited(environ, clock, operator(environ), work))


@dlq.command()
def drop(
    ids: Ids = None,
    code: Codes = None,
    tenant: Tenants = None,
    older_than: Older = None,
    newer_than: Newer = None,
    everything: All = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
) -> None:
    """Drop dead letters for good, after a question."""
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.agreeing import agreed
    from fleet_cli.audit.recording import audited
    from fleet_cli.console import say
    from fleet_cli.dlq.choosing import chosen
    from fleet_cli.dlq.operating import chosen_ids, drop_letters
    from fleet_cli.environment import environment, operator
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.stack.stack_env import broker_url

    environ, clock = environment(), SystemClock()
    url, choice = broker_url(environ), chosen(ids, code, tenant, older_than, newer_than)
    _must_choose(choice.narrows, everything)
    # In two runs, so that a question that nobody answers holds back no dead letter.
    found = run_in_foreground(chosen_ids(url, choice, clock))
    if not found:
        say("no such dead letters")
    elif yes or agreed(f"Drop dead letters for good, {len(found)} of them?", "nothing dropped"):
        run_in_foreground(audited(environ, clock, operator(environ), drop_letters(url, found)))
    else:
        say("nothing dropped")


def _must_choose(narrows: bool, everything: bool) -> None:
    from fleet_cli.wrong_input import WrongInputError  # late, as above

    if narrows == everything:
        raise WrongInputError(
            "name dead letters, narrow them by an option, or say --all; see `fleet dlq list`"
        )
