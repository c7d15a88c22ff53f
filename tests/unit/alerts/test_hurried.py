"""The rules that are played are the rules that are deployed, only faster."""

import re
from pathlib import Path

from alerts.faults import FAULTS
from alerts.hurried import hurried, names_in

RULES = (Path(__file__).parents[3] / "deploy/prometheus/alerts.yml").read_text()


def test_minutes_become_seconds_and_nothing_else_changes():
    rule = (
        "      - alert: FleetX\n"
        "        expr: sum(rate(a_total[10m])) > 60 and b offset 2h > 0.05\n"
        "        for: 5m\n"
    )
    assert hurried(rule) == rule.replace("[10m]", "[10000ms]").replace(
        "offset 2h", "offset 120000ms"
    ).replace("for: 5m", "for: 5000ms")


def test_every_duration_of_the_deployed_rules_is_shortened():
    played = hurried(RULES)
    assert not re.search(r"(\[|for: |offset )\d+[smhd]\b", played)
    assert names_in(played) == names_in(RULES)


def test_every_alert_has_a_fault_under_which_it_is_to_fire():
    assert {alert for fault in FAULTS for alert in fault.alerts} == set(names_in(RULES))
