"""RabbitMQ as the wire of a session: two connections, one reply queue."""

import random
from collections.abc import Callable
from urllib.parse import urlsplit

from fleet_client.broker.publisher import Publisher
from fleet_client.broker.replies import Replies
from fleet_client.broker.results import collecting, following
from fleet_client.collecting import BatchWish, Collector
from fleet_client.following import Follower, Wish
from fleet_client.request import Request
from fleet_client.wire import Posting, Take
from fleet_contracts.topology import reply_queue


class BrokerWire:
    """Publishes on one connection, and consumes a reply queue of its own on the other.

    Args:
        url: the broker and vhost.
        tenant: whose reply queue it is.
        chance: random words and jitter.
        now_ms: Unix time in milliseconds.
        take: gets each reply.
        on_lost: called after the reply queue had been deleted and is declared again.
    """

    def __init__(
        self,
        url: str,
        tenant: str,
        chance: random.Random,
        now_ms: Callable[[], int],
        take: Take,
        on_lost: Callable[[], None],
    ) -> None:
        queue = reply_queue(tenant, f"{chance.getrandbits(128):032x}")
        self._url = url
        self._chance = chance
        self._replies = Replies(url, queue, take, on_lost, chance)
        self._publisher = Publisher(url, queue.name, chance, now_ms)

    async def open(self, timeout_s: float) -> None:
        """Connect and declare the reply queue.

        Raises:
            BrokerUnreachable: one of the two connections was not open after `timeout_s` seconds.
        """
        await self._replies.open(timeout_s)
        await self._publisher.open(timeout_s)

    async def close(self) -> None:
        """Delete the reply queue, and disconnect."""
        await self._publisher.close()
        await self._replies.close()

    async def publish(self, posting: Posting) -> None:
        """Publish until the broker confirms.

        Raises:
            NotDelivered: the posting's time was over first, or there is no place for requests.
        """
        await self._publisher.publish(posting)

    async def cancel(self, request: Request, timeout_s: float) -> None:
        """Tell the fleet that nobody wants the answer; gives up in silence after `timeout_s` seconds."""
        await self._publisher.cancel(request, timeout_s)

    def follow(self, wish: Wish) -> Follower:
        """A queue on `deepseek.results`, not open yet, on a connection of its own."""
        return following(self._url, wish, self._chance)

    def collect(self, wish: BatchWish, on_lost: Callable[[], None]) -> Collector:
        """A batch's reply queue, not open yet, on a connection of its own."""
        return collecting(self._url, wish, self._chance, on_lost)


def check_url(url: str) -> None:
    """Refuse, in a sentence, what can't be the URL of a broker.

    Raises:
        ValueError: it is malformed.
    """
    if not _is_amqp(url):
        raise ValueError("url must look like amqp://user:password@host:5672/vhost (or amqps://...).")


def _is_amqp(url: str) -> bool:
    try:
        where = urlsplit(url)
        return where.scheme in {"amqp", "amqps"} and bool(where.hostname) and where.port != 0
    except ValueError:
        return False
