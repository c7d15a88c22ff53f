"""The requests that this worker has in hand, who waits here for one, and which ones others ask for."""

import asyncio

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.hold import Hold, LostError
from fleet_worker.ledger.notices import Notices
from fleet_worker.ledger.observing import LedgerObserver
from fleet_worker.ledger.suspects import Suspects
from fleet_worker.request import RequestKey, key_of, key_text

MOST_WANTED = 1000
"""More that others ask for at once are not looked at; they ask again each second."""


class Holds:
    """What is held, until it is dropped; takes the messages that others have about it."""

    def __init__(self, notices: Notices, observer: LedgerObserver, suspects: Suspects) -> None:
        self._notices = notices
        self._observer = observer
        self._suspects = suspects
        self._held: dict[str, Hold] = {}
        self._wanted: asyncio.Queue[str] = asyncio.Queue(MOST_WANTED)
        self._draining = False

    def get(self, key: RequestKey) -> Hold | None:
        """The hold on a request, where it is held here."""
        return self._held.get(key_text(key))

    def all(self) -> list[Hold]:
        """Every hold now."""
        return list(self._held.values())

    def add(self, hold: Hold) -> None:
        """Begin to keep a hold."""
        self._held[key_text(hold.key)] = hold
        self._observer.held.set(len(self._held))
        if self._draining:
            hold.drain(_draining())

    def drain(self) -> None:
        """Stop what has no call under way, and whatever is held from now on."""
        self._draining = True
        for hold in self.all():
            hold.drain(_draining())

    def drop(self, hold: Hold) -> bool:
        """Stop keeping it, and wake who waits for it here; whether it was kept."""
        text = key_text(hold.key)
        if self._held.get(text) is not hold:
            return False
        del self._held[text]
        self._observer.held.set(len(self._held))
        self._suspects.left(hold)
        self._notices.free(text)
        return True

    def hear(self, message: bytes) -> None:
        """Take a message from this worker's channel."""
        what, _, text = message.decode().partition(" ")
        if what == "free":
            self._notices.free(text)
        elif what == "cancel" and text in self._held:
            self._held[text].stop(cancelled())
        elif what == "wanted" and text not in self._held and not self._wanted.full():
            self._wanted.put_nowait(text)

    async def next_wanted(self) -> RequestKey:
        """Wait for a request that is not in hand here, and that another worker asks for."""
        return key_of(await self._wanted.get())


def cancelled() -> CompletionError:
    """The end of a request that its caller does not want any more."""
    return CompletionError(ErrorCode.CANCELLED, "the request was cancelled", again=False)


def _draining() -> LostError:
    return LostError("the worker drains: another one takes what it has not started")
