"""How soon a silent connection to the broker is given up, and what is said where there is none."""

import pytest
from aio_pika.exceptions import AMQPConnectionError, ProbableAuthenticationError
from aiormq.exceptions import InvalidFrameError

from fleet_chassis.broker import HEARTBEAT_S, why_unreached, with_heartbeat


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


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (caused_by(AMQPConnectionError(), ConnectionRefusedError()), "no broker answers at host:5672"),
        (ProbableAuthenticationError(), "at host:5672, virtual host v refused the user u or its password"),
        (InvalidFrameError("no OpenOk"), "`rabbitmqctl add_vhost`"),
        (TimeoutError(), "any firewall between"),
        (AMQPConnectionError("odd"), "is no AMQP"),
    ],
)
def test_why_there_is_no_connection_is_told_with_the_place_and_without_the_password(
    error: Exception, told: str
):
    said = why_unreached("amqp://u:CANARY@host/v", error)
    assert told in said
    assert "CANARY" not in said
