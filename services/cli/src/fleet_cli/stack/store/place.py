"""Which store a URL names, without its secrets."""

from urllib.parse import urlsplit

from fleet_cli.stack.errors import StackError

SCHEMES = ("redis", "rediss")
PORT = 6379
WRONG_URL = "REDIS_URL is wrong: set it as in redis://:password@host:6379/0, or unset it"


def place_of(url: str) -> str:
    """Host and port of the store at `url`; raises StackError where it is the URL of no store."""
    try:
        where = urlsplit(url)
        host, port = where.hostname, where.port or PORT
    except ValueError as wrong:
        raise StackError(WRONG_URL) from wrong
    if where.scheme not in SCHEMES or not host:
        raise StackError(WRONG_URL)
    return f"{host}:{port}"
