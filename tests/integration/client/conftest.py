"""The stages on which the client's behaviour is shown."""

import pytest

from harness.stages import Open, OpenSync, broker_stage, fake_stage, sync_broker_stage, sync_fake_stage


@pytest.fixture(params=["broker", "fake"])
def stage(request: pytest.FixtureRequest) -> Open:
    """`Fleet` on a real broker with a scripted worker, and `FakeFleet`: each test runs on both."""
    if request.param == "fake":
        return fake_stage()
    return broker_stage(request.getfixturevalue("fleet_vhost"))


@pytest.fixture(params=["broker", "fake"])
def sync_stage(request: pytest.FixtureRequest) -> OpenSync:
    """As `stage`, with `fleet_client.sync.Fleet` and `SyncFakeFleet`."""
    if request.param == "fake":
        return sync_fake_stage()
    return sync_broker_stage(request.getfixturevalue("fleet_vhost"))
