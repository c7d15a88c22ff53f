"""All that a client can do, whatever carries its messages."""

from fleet_client.asking import Asking
from fleet_client.batching import Batching
from fleet_client.conversing import Conversing
from fleet_client.leaving import Leaving


class Face(Asking, Conversing, Leaving, Batching):
    """What `Fleet` and `FakeFleet` have in common: everything but their wire."""
