"""`FakeFleet` for code that waits."""

from typing import Any

from fleet_client.sync.fleet import Calls
from fleet_client.sync.home import Home
from fleet_client.testing.fleet import FakeFleet
from fleet_client.testing.script import Play, Reply


class SyncFakeFleet(Calls):
    """A `FakeFleet` with the face of `fleet_client.sync.Fleet`.

    Args:
        *script: as in `FakeFleet`.
        **options: as in `FakeFleet`.

    Attributes:
        fake: the fleet behind it: what it was `asked`, what was `cancelled`, what it `will` reply.
    """

    def __init__(self, *script: Reply | Play, **options: Any) -> None:
        self.fake = FakeFleet(*script, **options)
        self._home = Home(self.fake.another)
