"""Alerts, dashboards and the runbook ask for metrics that there are, and lead somewhere."""

import json
import re
import runpy
from functools import cache
from pathlib import Path

import pytest

from fleet_worker.showing import every_metric

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = (DEPLOY / "prometheus/alerts.yml").read_text()
SCENARIOS = (DEPLOY / "prometheus/alerts.test.yml").read_text()
RUNBOOK = (DEPLOY / "README.md").read_text().partition("\n## Runbook\n")[2].partition("\n## ")[0]
BUILD = DEPLOY / "grafana/build.py"
DASHBOARDS = sorted((DEPLOY / "grafana").glob("*.json"))
BROKERS = {
    # https://www.rabbitmq.com/docs/prometheus#detailed-endpoint
    "rabbitmq_detailed_queue_messages_ready": {"queue", "vhost"},
    "rabbitmq_detailed_queue_consumers": {"queue", "vhost"},
}
SCRAPED = {"instance", "job"}
NAME = re.compile(r"\b((?:fleet|process|rabbitmq)_[a-z_]+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
MATCHED = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
ALERT = re.compile(r"- alert: (\w+)\n((?:        .*\n)+)")


@cache
def known() -> dict[str, set[str]]:
    """The labels of every series that a query may name."""
    found = {name: labels | SCRAPED for name, labels in BROKERS.items()}
    for metric in every_metric():
        for series in metric.series:
            found[series] = {*metric.labels, *SCRAPED, *(["le"] if series.endswith("_bucket") else [])}
    return found


def alerts() -> dict[str, str]:
    return dict(ALERT.findall(ALERTS))


def expression_of(alert: str) -> str:
    return alerts()[alert].partition("expr:")[2].partition("labels: {")[0]


def queries() -> list[tuple[str, str]]:
    found = [(name, expression_of(name)) for name in alerts()]
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            found += [(f"{path.stem}: {panel['title']}", target["expr"]) for target in panel["targets"]]
    return found


@pytest.mark.parametrize(("where", "query"), queries(), ids=[where for where, _ in queries()])
def test_every_query_names_series_and_labels_that_there_are(where: str, query: str):
    named = NAME.findall(query)
    assert named, where
    for series, matchers in named:
        assert series in known()
        assert set(MATCHED.findall(matchers)) <= known()[series]
    grouped = {label.strip() for labels in GROUPED.findall(query) for label in labels.split(",")}
    assert grouped <= {label for series, _ in named for label in known()[series]}


def test_every_metric_of_ours_is_in_a_dashboard_or_an_alert():
    asked = {series for _, query in queries() for series, _ in NAME.findall(query)}
    unseen = {metric.name for metric in every_metric() if not asked.intersection(metric.series)}
    # Seen by `fleet status`, counted twice by others, or of the process.
    assert {name for name in unseen if name.startswith("fleet_")} == {
        "fleet_attempts",
        "fleet_cancels",
        "fleet_chunks",
        "fleet_deliveries_waiting",
        "fleet_requests_held",
    }


@pytest.mark.parametrize("alert", alerts())
def test_every_alert_leads_to_a_chapter_of_the_runbook_and_is_in_its_table(alert: str):
    (link,) = re.findall(r"runbook: deploy/README\.md#(\S+)", alerts()[alert])
    headings = {
        heading.lower().replace(" ", "-") for heading in re.findall(r"^### (.+)$", RUNBOOK, re.MULTILINE)
    }
    assert link in headings
    (row,) = [line for line in RUNBOOK.splitlines() if line.startswith("|") and f"`{alert}`" in line]
    assert "](#" in row


@pytest.mark.parametrize("alert", alerts())
def test_every_alert_has_a_severity_a_sentence_and_a_scenario_in_which_it_fires(alert: str):
    body = alerts()[alert]
    assert re.search(r"severity: (page|ticket)", body)
    assert re.search(r"summary: .+\.", body)
    assert f'alertname="{alert}"' in SCENARIOS


def test_the_printed_dashboards_are_current():
    built = runpy.run_path(str(BUILD))
    for dashboard in built["DASHBOARDS"]:
        current = (DEPLOY / f"grafana/{dashboard.name}.json").read_text() == built["rendered"](dashboard)
        assert current, "run `python deploy/grafana/build.py` and commit what it writes"
    assert {path.stem for path in DASHBOARDS} == {dashboard.name for dashboard in built["DASHBOARDS"]}


def test_what_needs_a_person_is_never_asked_of_one_request():
    assert "correlation" not in ALERTS
