"""`fleet worker`: one worker in the foreground."""

import gc
from pathlib import Path
from typing import Annotated

import typer


def worker(
    settings: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A file of settings, one NAME=value a line."),
    ] = None,
) -> None:
    """Run one worker, set up from the environment, until SIGTERM or Ctrl-C; then it drains."""
    # What is imported stays, so looking through it while it grows is in vain; `run` enables it again.
    gc.disable()
    from fleet_chassis.settings import read_settings  # late: other commands start faster without the worker
    from fleet_worker.main import run
    from fleet_worker.settings import WorkerSettings

    run(read_settings(WorkerSettings, settings))
