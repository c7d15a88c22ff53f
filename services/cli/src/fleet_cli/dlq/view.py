"""Pure: dead letters for people."""

from collections.abc import Sequence
from datetime import datetime

from fleet_cli.dlq.letter import SHORT_ID, Letter

COLUMNS = ("id", "died", "code", "tenant", "correlation ID", "bytes", "why")
LONGEST = {"correlation ID": 40, "why": 90}


def table(letters: Sequence[Letter]) -> list[str]:
    """A line for each dead letter under a line of headings; columns as wide as they need to be."""
    rows = [COLUMNS, *(_row(letter) for letter in letters)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def page(letter: Letter) -> list[str]:
    """The whole record, a line for each field."""
    fields = letter.fields()
    width = max(map(len, fields))
    return [f"{name.ljust(width)}  {printable(str(value))}" for name, value in fields.items()]


def text_of(body: bytes) -> str:
    """A body as text that commands nothing to the terminal; its line ends and tabs stay."""
    return printable(body.decode(errors="replace"), but="\n\t")


def printable(text: str, but: str = "") -> str:
    """`text` with a mark in place of what could command the terminal."""
    return "".join(
        each if each.isprintable() or each in but else "\N{REPLACEMENT CHARACTER}" for each in text
    )


def named(letter: Letter) -> str:
    """One dead letter in few words."""
    asked = letter.correlation_id or "no correlation ID"
    return printable(f"{letter.id[:SHORT_ID]} ({letter.tenant}, {asked}, {letter.code})")


def _row(letter: Letter) -> tuple[str, ...]:
    asked = letter.correlation_id or "-"
    name = f"{asked}~{letter.retry}" if letter.retry else asked
    why = f"{letter.reason}: {letter.message}" if letter.reason else letter.message
    cells = (
        letter.id[:SHORT_ID],
        _local(letter.at()),
        letter.code,
        letter.tenant,
        name,
        str(letter.size),
        why,
    )
    return tuple(
        _cut(printable(cell), LONGEST.get(column)) for column, cell in zip(COLUMNS, cells, strict=True)
    )


def _local(at: datetime | None) -> str:
    return "-" if at is None else at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _cut(text: str, longest: int | None) -> str:
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"
