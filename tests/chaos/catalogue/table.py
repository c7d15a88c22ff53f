"""Pure: the catalogue as a table."""

from collections.abc import Mapping, Sequence

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
    return [*lines, f"{len(rows)} entries: {_counts([outcome for _, outcome in rows])}"]


def page(entries: Sequence[Entry], played: Mapping[str, Mapping[str, Outcome]]) -> list[str]:
    """The catalogue as it stands in README.md: what must hold, and the last run on each generation.

    `played`: outcomes by the generation of the broker, and by the entry's name.
    """
    head = ("", "name", "what breaks", "what must hold", *(f"RabbitMQ {generation}" for generation in played))
    lines = [_line(head), _line(["---"] * len(head))]
    for entry in entries:
        runs = [_run(outcomes.get(entry.name)) for outcomes in played.values()]
        lines.append(_line((str(entry.number), f"`{entry.name}`", entry.fault, entry.must_hold, *runs)))
    lines.append("")
    for generation, outcomes in played.items():
        of_each = [outcomes.get(entry.name) for entry in entries]
        versions = " and ".join(sorted({outcome.broker for outcome in of_each if outcome is not None}))
        lines.append(f"- RabbitMQ {generation} ({versions}): {len(entries)} entries: {_counts(of_each)}")
        for entry, outcome in zip(entries, of_each, strict=True):
            if outcome is not None and outcome.verdict is not Verdict.HELD:
                lines.append(f"  - `{entry.name}` {outcome.verdict}: {'; '.join(outcome.complaints)}")
    return lines


def _run(outcome: Outcome | None) -> str:
    return "not played" if outcome is None else ": ".join(filter(None, (outcome.verdict, _short(outcome))))


def _short(outcome: Outcome) -> str:
    known = [f"{outcome.requests} requests"] if outcome.requests else []
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


def _counts(outcomes: Sequence[Outcome | None]) -> str:
    counted = [
        f"{sum(outcome is not None and outcome.verdict is verdict for outcome in outcomes)} {verdict}"
        for verdict in Verdict
    ]
    return ", ".join([*counted, f"{sum(outcome is None for outcome in outcomes)} not tried"])
