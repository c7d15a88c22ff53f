"""`fleet simulator`: a simulated DeepSeek in the foreground."""

import typer


def simulator(context: typer.Context) -> None:
    """Run a simulated DeepSeek until Ctrl-C; its URL is the first line. --help lists its options."""
    from fleet_simulator.__main__ import main  # late: other commands start faster without the web server

    main(context.args)
