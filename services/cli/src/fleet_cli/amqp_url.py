"""What the AMQP URL of a command says."""

from fleet_chassis.amqp_url import Place
from fleet_chassis.amqp_url import place_of as read
from fleet_cli.wrong_input import WrongInputError

EXAMPLE = "amqp://user:password@host:5672/"


def place_of(url: str) -> Place:
    """What `url` names.

    Raises:
        WrongInputError: it is no AMQP URL; the text says how one looks.
    """
    try:
        return read(url)
    except ValueError as error:
        raise WrongInputError(
            f"AMQP_URL is wrong: set it as in AMQP_URL={EXAMPLE} (amqps:// with TLS)"
        ) from error
