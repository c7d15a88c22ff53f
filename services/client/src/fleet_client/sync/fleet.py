"""`Fleet` for code that waits."""

from types import TracebackType
from typing import Any, Self

from fleet_client.asking import Asking
from fleet_client.batching import Batching
from fleet_client.face import Face
from fleet_client.fleet import Fleet as AsyncFleet
from fleet_client.leaving import Leaving
from fleet_client.sync.carried import iterates, waits
from fleet_client.sync.conversation import Conversation
from fleet_client.sync.home import Home


class Calls:
    """The calls of a client, each of which waits. Any number of threads may make them at once."""

    _home: Home

    complete = waits(Asking.complete)
    fim = waits(Asking.fim)
    submit = waits(Leaving.submit)
    stream = iterates(Asking.stream)
    results = iterates(Leaving.results)
    batch = iterates(Batching.batch)

    def conversation(self, id: str, **options: Any) -> Conversation:  # noqa: A002 -- the word that callers use
        """A conversation that the fleet keeps; the arguments are those of `fleet_client.Fleet.conversation`.

        Raises:
            InvalidRequest: a function can't be a tool; told with the first call.
        """
        return Conversation(self._home, id, options)

    def close(self) -> None:
        """End calls under way with `FleetClosed`, and disconnect. A later call connects anew."""
        self._home.close()

    def __enter__(self) -> Self:
        """Connect now, instead of with the first call.

        Raises:
            BrokerUnreachable: no connection within `connect_timeout_s`.
        """
        self._home.living()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


class Fleet(Calls):
    """The client for programs without an event loop: one for each process, shared by all its threads.

    It connects with its first call, in each process by itself: build it once where your program begins, also
    where a server forks its workers after that. A client that is still open when the program ends is closed
    then; `with Fleet(...)` or `close()` does it earlier.

    The arguments and the calls are those of `fleet_client.Fleet`; `stream`, `results` and `batch` are plain
    iterators.
    A `waiting=` callback runs on the client's own thread. Do not use it inside a coroutine: it would stop
    that event loop. It needs real threads: under gevent or eventlet, take unpatched ones.

    Args:
        url: the broker and vhost, as in `amqp://user:password@host:5672/vhost`.
        **options: as in `fleet_client.Fleet`: `tenant`, `timeout_s`, `connect_timeout_s` and the rest.

    Raises:
        ValueError: the URL or the tenant is malformed.
    """

    def __init__(self, url: str, **options: Any) -> None:
        AsyncFleet(url, **options)  # tells a mistake here, not in the first call

        def build() -> Face:
            return AsyncFleet(url, **options)

        self._home = Home(build)
