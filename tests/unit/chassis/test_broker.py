"""How soon a silent connection to the broker is given up."""

import pytest

from fleet_chassis.broker import HEARTBEAT_S, with_heartbeat


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("amqp://u:p@host:5672/v", f"amqp://u:p@host:5672/v?heartbeat={HEARTBEAT_S}"),
        ("amqps://u:p@host/%2F?name=x", f"amqps://u:p@host/%2F?name=x&heartbeat={HEARTBEAT_S}"),
        ("amqp://u:p@host:5672/v?heartbeat=60", "amqp://u:p@host:5672/v?heartbeat=60"),
        ("amqp://u:p@host:5672/v?heartbeat=0", "amqp://u:p@host:5672/v?heartbeat=0"),
    ],
)
def test_a_connection_has_our_heartbeat_unless_its_url_says_one(given: str, wanted: str):
    assert with_heartbeat(given) == wanted
