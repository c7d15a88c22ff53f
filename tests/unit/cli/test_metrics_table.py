"""The printed list of metrics, and the bounds of their labels."""

from pathlib import Path

from prometheus_client import Counter

from fleet_chassis.metrics import OTHER, Names, Registry
from fleet_cli.metrics_table import metrics_page
from fleet_worker.showing import every_metric

PRINTED = Path(__file__).parents[3] / "deploy/METRICS.md"
BOUNDED = {
    "account",
    "lane", "outcome", "code", "found", "reason", "rung", "model", "connection", "answer", "ended", "granted",
    "change", "why", "tenant", "kind", "version", "worker",
}  # fmt: skip


def test_the_printed_metrics_are_current():
    current = PRINTED.read_text() == metrics_page(every_metric())
    assert current, "run `fleet metrics > deploy/METRICS.md` and commit what it writes"


def test_every_label_is_one_that_has_few_values():
    assert {label for metric in every_metric() for label in metric.labels} <= BOUNDED


def test_every_metric_of_ours_says_what_it_means_and_has_a_name_of_ours():
    assert all(metric.help for metric in every_metric())
    assert all(metric.name.startswith(("fleet_", "process_")) for metric in every_metric())


def test_a_metric_without_samples_is_listed_with_its_labels():
    registry = Registry()
    Counter("fleet_things", "Things", ["kind"], registry=registry)
    (things,) = [metric for metric in registry.described() if metric.name == "fleet_things"]
    assert (things.kind, things.labels, things.series) == ("counter", ("kind",), ("fleet_things_total",))


def test_names_beyond_the_bound_share_one_label_and_the_known_keep_theirs():
    names = Names(2)
    assert [names.of(name) for name in ("a", "b", "c", "a", "d", "b")] == ["a", "b", OTHER, "a", OTHER, "b"]
    assert Names(0).of("a") == OTHER
