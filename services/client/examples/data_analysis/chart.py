"""A table as a chart of bars for the terminal, or as columns of text where it is no series of numbers."""
# ruff: noqa: INP001 -- a file to copy

from collections.abc import Sequence
from typing import Any

WIDTH = 40
_EIGHTHS = " ▏▎▍▌▋▊▉"


def drawn(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Bars, where the last of two columns is all numbers and none of them is below zero."""
    if len(columns) == 2 and rows and all(_is_length(row[1]) for row in rows):  # noqa: PLR2004 -- name and number
        return _bars([(str(name), number) for name, number in rows])
    return "\n".join("  ".join(str(value) for value in row) for row in [columns, *rows])


def _bars(series: Sequence[tuple[str, float]]) -> str:
    margin = max(len(name) for name, _ in series)
    most = max(number for _, number in series) or 1
    return "\n".join(f"{name:>{margin}} {_bar(number / most)} {number:,}" for name, number in series)


def _bar(share: float) -> str:
    whole, rest = divmod(round(share * WIDTH * 8), 8)
    return "█" * whole + _EIGHTHS[rest].strip()


def _is_length(value: Any) -> bool:
    return isinstance(value, int | float) and value >= 0
