"""Opens and closes a client, and knows the terms of each call."""

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from fleet_client.errors import FleetClosed
from fleet_client.session import Session, Settings
from fleet_client.terms import Terms
from fleet_client.wire import Take, Wire

DEFAULT_TIMEOUT_S = 900.0


def system_now_ms() -> int:
    """Unix time in milliseconds."""
    return time.time_ns() // 1_000_000


class Opening(ABC):
    """A client that is used with `async with`.

    Args:
        settings: whose calls, and the bounds.
        timeout_s: time for one call, in seconds.
        chance: source of random words and jitter; the system's own where left out.
        now_ms: Unix time in milliseconds.
    """

    def __init__(
        self, settings: Settings, timeout_s: float, chance: random.Random | None, now_ms: Callable[[], int]
    ) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._chance = chance or random.SystemRandom()
        self._now_ms = now_ms
        self._session: Session | None = None

    @abstractmethod
    def _make_wire(self, take: Take, on_lost: Callable[[], None]) -> Wire:
        """What carries the messages of one session."""

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            BrokerUnreachable: no connection in the time to connect.
            RuntimeError: it is open already.
        """
        if self._session is not None:
            raise RuntimeError("This Fleet is open already. Enter it once and share it, or build another.")
        session = Session(self._settings, self._chance, self._make_wire)
        await session.open()
        self._session = session
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End calls under way, delete the reply queue, disconnect."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    @property
    def _opened(self) -> Session:
        if self._session is None:
            raise FleetClosed("The Fleet is not open. Ask inside `async with Fleet(...) as fleet:`.")
        return self._session

    def _terms(
        self, correlation_id: str | None, tenant: str | None, timeout_s: float | None, **others: Any
    ) -> Terms:
        return Terms(
            id=self._opened.word() if correlation_id is None else correlation_id,
            tenant=self._settings.tenant if tenant is None else tenant,
            timeout_s=timeout_s,
            **others,
        )
