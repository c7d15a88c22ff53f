"""Pure: the table of every metric of a worker, printed from the worker's own code."""

from collections.abc import Iterable

from fleet_chassis.metrics import Described

HEADING = """# Metrics

What a worker shows at `/metrics`, for Prometheus. No label is a correlation ID or a routing key: `tenant`
has as many values as `FLEET_METRICS_TENANTS` allows and `other` for the rest, `model` has twenty and
`other`, and every other label has a closed set. A counter's series ends in `_total`, a histogram's in
`_bucket`, `_sum` and `_count`.

Printed by `fleet metrics > deploy/METRICS.md`.
"""


def metrics_page(metrics: Iterable[Described]) -> str:
    """The Markdown page: name, type, labels and meaning of each metric."""
    rows = [f"| `{one.name}` | {one.kind} | {', '.join(one.labels)} | {one.help} |" for one in metrics]
    return "\n".join([HEADING, "| metric | type | labels | meaning |", "|---|---|---|---|", *rows, ""])
