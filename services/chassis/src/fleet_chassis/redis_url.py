"""Pure: what a store's URL says."""

from urllib.parse import urlsplit

PORT = 6379
SCHEMES = ("redis", "rediss")
LOCAL = "unix"
LOOKS = "it must start with redis:// or rediss://, as in redis://:password@host:6379/0"


def place_of(url: str) -> str:
    """Host and port of the store at `url`, or its socket on this machine; never the password.

    Raises:
        ValueError: it is the URL of no store; the text says how one looks.
    """
    try:
        where = urlsplit(url)
        host, port = where.hostname, where.port or PORT
    except ValueError as error:
        raise ValueError(LOOKS) from error
    if where.scheme == LOCAL and where.path:
        return where.path
    if where.scheme not in SCHEMES or not host:
        raise ValueError(LOOKS)
    return f"{host}:{port}"
