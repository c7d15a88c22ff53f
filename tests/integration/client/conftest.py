"""The stages on which the client's behaviour is shown."""

import pytest

from harness.stages import Open, broker_stage, fake_stage


@pytest.fixture(params=["broker", "fake"])
def stage(request: pytest.FixtureRequest) -> Open:
    """`Fleet` on a real broker with a scripted worker, and `FakeFleet`: each test runs on both."""
    if request.param == "fake":
        return fake_stage()
    return broker_stage(request.getfixturevalue("fleet_vhost"))
