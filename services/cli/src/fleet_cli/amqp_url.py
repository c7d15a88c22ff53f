"""Pure: what an AMQP URL says."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from fleet_cli.wrong_input import WrongInputError

PORTS = {"amqp": 5672, "amqps": 5671}
EXAMPLE = "amqp://user:password@host:5672/"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a broker is, and as whom it is spoken to; never the password."""

    host: str
    port: int
    vhost: str
    user: str
    tls: bool

    def __str__(self) -> str:
        vhost = "" if self.vhost == "/" else f", virtual host {self.vhost}"
        return f"{self.host}:{self.port}{vhost}"


def place_of(url: str) -> Place:
    """What `url` names.

    Raises:
        WrongInputError: it is no AMQP URL; the text says how one looks.
    """
    try:
        where = urlsplit(url)
        host, port = where.hostname, where.port or PORTS[where.scheme]
    except (ValueError, KeyError) as error:
        raise _wrong() from error
    if not host:
        raise _wrong()
    vhost = unquote(where.path.removeprefix("/")) or "/"
    return Place(host, port, vhost, unquote(where.username or "guest"), where.scheme == "amqps")


def _wrong() -> WrongInputError:
    return WrongInputError(f"AMQP_URL is wrong: set it as in AMQP_URL={EXAMPLE} (amqps:// with TLS)")
