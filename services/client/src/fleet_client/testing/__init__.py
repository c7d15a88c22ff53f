"""A fleet in memory, for the tests of a backend: no broker, no worker, the same client."""

from fleet_client.testing.fleet import FakeFleet
from fleet_client.testing.recorded import Asked
from fleet_client.testing.script import Fails, Play, Reply, Says, Silence
from fleet_client.testing.threads import SyncFakeFleet

__all__ = ["Asked", "Fails", "FakeFleet", "Play", "Reply", "Says", "Silence", "SyncFakeFleet"]
