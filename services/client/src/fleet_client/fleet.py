"""The way in: ask the fleet as if it were a local function."""

import random
from collections.abc import Callable

from fleet_client.broker.wire import BrokerWire, check_url
from fleet_client.face import Face
from fleet_client.opening import DEFAULT_TIMEOUT_S, system_now_ms
from fleet_client.session import Settings
from fleet_client.wire import Take, Wire
from fleet_contracts.grammar import DEFAULT_TENANT


class Fleet(Face):
    """A client of the fleet, for as many calls at once as you like. Use it with `async with`.

    While it is open it holds two connections and one reply queue, and gets over a broker's restart by itself:
    calls under way go on. Leaving it ends calls under way with `FleetClosed`.

    Args:
        url: the broker and vhost, as in `amqp://user:password@host:5672/vhost`.
        tenant: who asks: 1 to 64 letters, digits, underscores or hyphens.
        timeout_s: time for one call, from asking to the last event, in seconds.
        connect_timeout_s: time to connect on entering, in seconds.
        grace_s: how much longer a call waits for the fleet's own word about a missed deadline, in seconds.
        max_buffered_events: how far the reader of one stream may fall behind. A slower one gets no more
            pieces until the answer is whole, then everything it lacks; other streams never notice.
        chance: source of random words and jitter; the system's own where left out.
        now_ms: Unix time in milliseconds; the system's own where left out.

    Raises:
        ValueError: the URL or the tenant is malformed.
    """

    def __init__(  # noqa: PLR0913 -- every bound of the client, in the one place where it is built
        self,
        url: str,
        *,
        tenant: str = DEFAULT_TENANT,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        connect_timeout_s: float = 10.0,
        grace_s: float = 2.0,
        max_buffered_events: int = 1024,
        chance: random.Random | None = None,
        now_ms: Callable[[], int] = system_now_ms,
    ) -> None:
        check_url(url)
        settings = Settings(tenant, connect_timeout_s, grace_s, max_buffered_events)
        super().__init__(settings, timeout_s, chance, now_ms)
        self._url = url

    def _make_wire(self, take: Take, on_lost: Callable[[], None]) -> Wire:
        return BrokerWire(self._url, self._settings.tenant, self._chance, self._now_ms, take, on_lost)
