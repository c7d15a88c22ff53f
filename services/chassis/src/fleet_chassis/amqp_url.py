"""Pure: what an AMQP URL says."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

PORTS = {"amqp": 5672, "amqps": 5671}
LOOKS = "it must start with amqp:// or amqps://, as in amqp://user:password@host:5672/vhost"


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
        ValueError: it is no AMQP URL; the text says how one looks.
    """
    try:
        where = urlsplit(url)
        host, port = where.hostname, where.port or PORTS[where.scheme]
    except (ValueError, KeyError) as error:
        raise ValueError(LOOKS) from error
    if where.scheme not in PORTS or not host:
        raise ValueError(LOOKS)
    vhost = unquote(where.path.removeprefix("/")) or "/"
    return Place(host, port, vhost, unquote(where.username or "guest"), where.scheme == "amqps")
