"""Pure: the catalogue as a table."""

from collections.abc import Sequence

from chaos.catalogue.entry import Entry, Outcome, Verdict

HEAD = ("", "name", "fault", "requests", "lost", "twice", "recovered", "time to recover", "verdict")
Row = tuple[Entry, Outcome | None]


def table(rows: Sequence[Row]) -> list[str]:
    """A table in Markdown, and below it what was complained of."""
    lines = [_line(HEAD), _line(["---"] * len(HEAD))]
    lines += [_line(_cells(entry, outcome)) for entry, outcome in rows]
    for entry, outcome in rows:
        if outcome is not None and outcome.verdict is not Verdict.HELD:
            lines += [f"{outcome.verdict} {entry.name}: {complaint}" for complaint in outcome.complaints]
    counts = {verdict: _count(rows, verdict) for verdict in Verdict}
    not_tried = sum(outcome is None for _, outcome in rows)
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    return [*lines, f"{len(rows)} entries: {told}, {not_tried} not tried"]


def page(rows: Sequence[Row]) -> list[str]:
    """The catalogue as it stands in README.md: what must hold, and the figures of the last run."""
    lines = [_line(("", "name", "what breaks", "what must hold", "last run")), _line(["---"] * 5)]
    for entry, outcome in rows:
        run = "not played" if outcome is None else f"{outcome.verdict}: {_short(outcome)}"
        lines.append(_line((str(entry.number), f"`{entry.name}`", entry.fault, entry.must_hold, run)))
    return lines


def _short(outcome: Outcome) -> str:
    known = [f"{outcome.requests} requests"]
    known += [f"recovered in {_seconds(outcome.recovery_s)}"] if outcome.recovery_s is not None else []
    return ", ".join([*known, *(f"{name} {value}" for name, value in outcome.notes.items())])


def figures(outcome: Outcome) -> str:
    """The figures of one outcome, in a line."""
    notes = "".join(f", {name} {value}" for name, value in outcome.notes.items())
    return (
        f"{outcome.requests} requests, {outcome.lost} lost, {outcome.twice} twice, "
        f"recovered in {_seconds(outcome.recovery_s)}, took {outcome.took_s:.0f} s{notes}"
    )


def _cells(entry: Entry, outcome: Outcome | None) -> list[str]:
    known = [str(entry.number), entry.name, entry.fault]
    if outcome is None:
        return [*known, "", "", "", "", "", "not tried"]
    numbers = (outcome.requests, outcome.lost, outcome.twice, outcome.recovered)
    return [*known, *map(str, numbers), _seconds(outcome.recovery_s), outcome.verdict]


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.1f} s"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _count(rows: Sequence[Row], verdict: Verdict) -> int:
    return sum(outcome is not None and outcome.verdict is verdict for _, outcome in rows)
