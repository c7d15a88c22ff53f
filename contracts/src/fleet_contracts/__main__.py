"""`python -m fleet_contracts write` prints the contract; `check` says whether its copies are current."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from fleet_contracts.printing.files import stale, write


def main(arguments: Sequence[str] | None = None) -> None:
    """Write or check the printed files; exits 1 with one sentence where something is wrong."""
    given = _parser().parse_args(arguments)
    try:
        if given.action == "write":
            write(given.folder)
        else:
            _check(given.folder)
    except FileNotFoundError as error:
        sys.exit(str(error))


def _check(folder: Path) -> None:
    if files := stale(folder):
        names = ", ".join(str(path) for path in files)
        sys.exit(f"Not what the code prints: {names}. Run `make contracts` and commit what it writes.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fleet_contracts", description=__doc__)
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument("--folder", type=Path, default=Path("contracts"), help="where they are (%(default)s)")
    return parser


if __name__ == "__main__":
    main()
