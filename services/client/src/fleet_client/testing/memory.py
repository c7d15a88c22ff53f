"""The fleet behind a fake: its script, its ledger, and what it was asked and told."""

import inspect
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from fleet_client.errors import FleetError
from fleet_client.request import Request
from fleet_client.testing.conversations import Conversations
from fleet_client.testing.queues import Exchange
from fleet_client.testing.recorded import Asked
from fleet_client.testing.script import Fails, Play, Reply, Says, Silence

_MOST_REMEMBERED = 10_000

Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True)
class Kept:
    """A request that the ledger knows, and how it ended."""

    body: bytes = field(repr=False)
    end: bytes = field(repr=False)
    """The terminal reply, which is sent again as it was."""


class Memory:
    """Outlives the sessions of one fake, as a broker and its workers outlive a client.

    Args:
        script: the replies to give, in order.
        otherwise: the reply, or who decides on it, once the script is used up.
    """

    def __init__(self, script: Iterable[Reply | Play], otherwise: Reply | Play) -> None:
        self.asked: deque[Asked] = deque(maxlen=_MOST_REMEMBERED)
        self.cancelled: deque[str] = deque(maxlen=_MOST_REMEMBERED)
        self.exchange = Exchange()
        self.conversations = Conversations()
        self._script = deque(script)
        self._otherwise = otherwise
        self._ledger: OrderedDict[Key, Kept] = OrderedDict()

    def extend(self, replies: Iterable[Reply | Play]) -> None:
        """Add to the script."""
        self._script.extend(replies)

    def kept(self, request: Request) -> Kept | None:
        """What the ledger knows of the request."""
        return self._ledger.get(key_of(request))

    @property
    def ended(self) -> tuple[str, ...]:
        """The IDs of the requests that ended, in order."""
        return tuple(correlation_id for _, correlation_id, _ in self._ledger)

    def keep(self, request: Request, end: bytes) -> None:
        """Remember how the request ended."""
        self._ledger[key_of(request)] = Kept(request.body, end)
        if len(self._ledger) > _MOST_REMEMBERED:
            self._ledger.popitem(last=False)

    async def reply_to(self, asked: Asked) -> Says | Fails | Silence | FleetError:
        """The script's next reply."""
        step = self._script.popleft() if self._script else self._otherwise
        reply = step(asked) if callable(step) else step
        chosen = await reply if inspect.isawaitable(reply) else reply
        return Says(chosen) if isinstance(chosen, str) else chosen


def key_of(request: Request) -> Key:
    """What makes a request the same request."""
    return request.tenant, request.id, request.retry
