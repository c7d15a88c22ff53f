"""Where the management API is: beside the broker, unless the operator says otherwise."""

import pytest

from fleet_cli.rights.management import VARIABLE, address_of
from fleet_cli.wrong_input import WrongInputError


@pytest.mark.parametrize(
    ("amqp_url", "address"),
    [
        ("amqp://me:s%40x@broker/", ("http://broker:15672", "me", "s@x")),
        ("amqps://me:secret@broker:5679/fleet", ("https://broker:15671", "me", "secret")),
        ("amqp://[::1]/", ("http://[::1]:15672", "guest", "guest")),
    ],
)
def test_it_is_looked_for_beside_the_broker(amqp_url: str, address: tuple[str, str, str]):
    assert address_of({}, amqp_url) == address
    assert address_of({VARIABLE: ""}, amqp_url) == address


def test_what_the_operator_says_goes_first():
    given = {VARIABLE: "https://root:p%2Fw@manage.example:8443/rabbit/"}
    assert address_of(given, "amqp://x") == ("https://manage.example:8443/rabbit", "root", "p/w")


@pytest.mark.parametrize(
    "url", ["manage:15672", "amqp://u:p@h", "http://", "http://h:15672", "http://u:p@h:x"]
)
def test_what_is_no_such_url_is_refused_without_its_password(url: str):
    with pytest.raises(WrongInputError, match="MANAGEMENT_URL is wrong: set it as in"):
        address_of({VARIABLE: url}, "amqp://x")
