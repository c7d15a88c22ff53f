"""Which store a URL names, without its secrets."""

from fleet_chassis.redis_url import place_of as read
from fleet_cli.stack.errors import StackError

WRONG_URL = "REDIS_URL is wrong: set it as in redis://:password@host:6379/0, or unset it"


def place_of(url: str) -> str:
    """Host and port of the store at `url`; raises StackError where it is the URL of no store."""
    try:
        return read(url)
    except ValueError as wrong:
        raise StackError(WRONG_URL) from wrong
