"""A folder for one run: private, marked as in use, and swept up by the next run if this one is killed."""

import fcntl
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

MARK = "in-use"


@contextmanager
def run_folder(parent: Path) -> Generator[Path]:
    """A fresh folder below `parent`, removed at the end; what killed runs left there is removed first."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    with (folder / "mark").open("w") as mark:
        _hold(mark)
        (folder / "mark").rename(folder / MARK)  # only now, held, can it be seen by a sweep
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _sweep(parent: Path) -> None:
    for mark in parent.glob(f"run-*/{MARK}"):
        with suppress(OSError), mark.open("r+") as held:
            # The kernel gives the lock back when its holder dies, however it dies.
            _hold(held)
            shutil.rmtree(mark.parent, ignore_errors=True)


def _hold(mark: IO[str]) -> None:
    fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
