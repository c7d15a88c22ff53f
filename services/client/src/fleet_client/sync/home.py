"""Where a synchronous client lives: in each process, from its first call on, until it is closed."""

import atexit
import os
import threading
from collections.abc import Callable
from weakref import WeakSet

from fleet_client.face import Face
from fleet_client.sync.living import Living


class Home:
    """Opens its client when the first call comes, so that building one at import, before a fork, is fine.

    Args:
        build: makes the client.
    """

    def __init__(self, build: Callable[[], Face]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._living: Living | None = None
        _HOMES.add(self)

    def living(self) -> Living:
        """The client of this process.

        Raises:
            BrokerUnreachable: it can't be opened; the next call tries again.
        """
        with self._lock:
            if self._living is None:
                self._living = Living(self._build)
                _LIVING.add(self._living)
            return self._living

    def close(self) -> None:
        """End calls under way with `FleetClosed`, disconnect, end the thread. The next call opens it anew."""
        with self._lock:
            living, self._living = self._living, None
        if living is not None:
            _LIVING.discard(living)
            living.close()

    def forget(self) -> None:
        """In a forked child: leave to the parent what is the parent's, and start afresh."""
        self._lock = threading.Lock()
        self._living = None


_HOMES: WeakSet[Home] = WeakSet()
_LIVING: set[Living] = set()
_OF_THE_PARENT: list[Living] = []


def _forget_all() -> None:
    # Kept for good: to collect the parent's loop here would take its sockets out of the epoll they share.
    _OF_THE_PARENT.extend(_LIVING)
    _LIVING.clear()
    for home in list(_HOMES):
        home.forget()


def _close_all() -> None:
    for living in list(_LIVING):
        living.close()


os.register_at_fork(after_in_child=_forget_all)
atexit.register(_close_all)
