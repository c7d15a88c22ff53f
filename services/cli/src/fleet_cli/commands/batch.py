"""`fleet batch`: a file of prompts, answered line by line."""

from pathlib import Path
from typing import Annotated

import typer

batch = typer.Typer(
    help="Answer a file of prompts, line by line, and go on wherever it was stopped.", no_args_is_help=True
)

Source = Annotated[
    Path,
    typer.Argument(metavar="PROMPTS", help="The input: one request a line.", exists=True, dir_okay=False),
]
Model = Annotated[
    str, typer.Option(help="Ask this model, whatever the lines say.  [default: theirs, or deepseek-flash]")
]
System = Annotated[str, typer.Option(help="A system message for lines that have none.")]
MaxTokens = Annotated[int | None, typer.Option(min=1, help="Most tokens of an answer whose line says none.")]
Thinking = Annotated[
    bool | None, typer.Option(help="Whether the model thinks first, where a line doesn't say.")
]


@batch.command()
def run(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    source: Source,
    results: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="RESULTS", help="The results; their journal is beside it."),
    ],
    model: Model = "",
    system: System = "",
    max_tokens: MaxTokens = None,
    thinking: Thinking = None,
    tenant: Annotated[str, typer.Option(help="Who asks.")] = "default",
    name: Annotated[
        str,
        typer.Option(help="The batch's name on the wire.  [default: made of the files' names]"),
    ] = "",
    concurrency: Annotated[
        int,
        typer.Option(
            min=1, max=10_000, help="Lines under way at once; the fleet's limits hold all the same."
        ),
    ] = 200,
    max_cost: Annotated[
        float | None,
        typer.Option(min=0, metavar="USD", help="Send no more lines once so much is spent, or about to be."),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A JSON Schema that every answer has to fit."),
    ] = None,
    tries: Annotated[
        int, typer.Option(min=1, max=20, help="With --schema: ask so often, each time told what did not fit.")
    ] = 3,
    off_peak: Annotated[
        bool,
        typer.Option("--off-peak", help="Send lines in DeepSeek's cheaper hours only, and wait for them."),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask lines that failed in an earlier run anew.")
    ] = False,
) -> None:
    """Answer every line of PROMPTS, in the batch lane.

    A line is OpenAI's batch format (custom_id, method, url, body), an object with a prompt or messages and
    any other field of the request, or a plain text. Nothing is sent before the whole file was found right.
    RESULTS gets OpenAI's batch output lines: answers as they come, and failed lines at the end.

    Stopped by Ctrl-C or kill -9, the same command goes on where it was; no line is there twice,
    and none is paid twice while it is remembered (24 h). Lines may be added to PROMPTS.

    Ends with 0 where every line has its answer, 1 where some failed or were left out, 2 after wrong input,
    130 after Ctrl-C.
    """
    from fleet_chassis.clock import SystemClock  # late: other commands start faster without all this
    from fleet_cli.asking import checked_tenant
    from fleet_cli.batch.choosing import choices
    from fleet_cli.batch.money import nano
    from fleet_cli.batch.schema import schema_in
    from fleet_cli.batch.showing import run_and_show
    from fleet_cli.batch.wish import Wish, checked_name, default_name
    from fleet_cli.environment import environment
    from fleet_cli.foreground import run_in_foreground
    from fleet_cli.stack.stack_env import broker_url

    wanted = schema_in(schema) if schema else None
    wish = Wish(
        source=source,
        results=results,
        name=checked_name(name or default_name(source, results)),
        tenant=checked_tenant(tenant),
        choices=choices(model, system, max_tokens, thinking=thinking, schema=wanted),
        schema=wanted,
        tries=tries,
        window=concurrency,
        most_nano=None if max_cost is None else nano(max_cost),
        retry_failed=retry_failed,
        off_peak=off_peak,
    )
    is_complete = run_in_foreground(run_and_show(broker_url(environment()), wish, SystemClock()))
    raise typer.Exit(0 if is_complete else 1)


@batch.command()
def status(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", help="The results file of a batch.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as one JSON object.")] = False,
) -> None:
    """Show how a batch stands, by its journal; it may run meanwhile."""
    from fleet_cli.batch.showing import show_status  # late, as above

    show_status(results, as_json=as_json)


@batch.command()
def check(
    source: Source,
    model: Model = "",
    system: System = "",
    max_tokens: MaxTokens = None,
    thinking: Thinking = None,
    schema: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The JSON Schema of --schema.")
    ] = None,
) -> None:
    """Check a file of prompts and say about what it costs; sends nothing.

    Ends with 0 where every line is right, and with 1 where some are not.
    """
    from fleet_chassis.clock import SystemClock  # late, as above
    from fleet_cli.batch.choosing import choices
    from fleet_cli.batch.schema import schema_in
    from fleet_cli.batch.showing import show_check
    from fleet_cli.batch.wish import Wish

    wanted = schema_in(schema) if schema else None
    show_check(
        Wish(
            source,
            source,
            "check",
            "default",
            choices(model, system, max_tokens, thinking=thinking, schema=wanted),
            wanted,
        ),
        SystemClock(),
    )
