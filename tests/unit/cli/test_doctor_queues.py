"""What the doctor makes of how many messages and consumers each queue has."""

from fleet_cli.doctor.asker import Counts
from fleet_cli.doctor.check import State
from fleet_cli.doctor.queues import tenants_queues

OWN = ["deepseek.requests.interactive.acme", "deepseek.requests.batch.acme"]


def test_tenants_queues_that_are_served_are_fine_however_much_waits_in_them():
    found = tenants_queues(OWN, {OWN[0]: Counts(700, 2), OWN[1]: Counts(0, 1)})
    assert found.state is State.FINE
    assert found.found == f"700 in {OWN[0]}, 0 in {OWN[1]}"


def test_of_tenants_queues_those_that_nobody_serves_are_named_alone():
    found = tenants_queues(OWN, {OWN[0]: Counts(0, 1), OWN[1]: Counts(3, 0)})
    assert found.state is State.FAILED
    assert found.found == f"nobody serves {OWN[1]}"
