"""`Fleet` without a broker."""

import random
from collections.abc import Callable, Sequence
from copy import copy

from fleet_client.face import Face
from fleet_client.opening import DEFAULT_TIMEOUT_S, system_now_ms
from fleet_client.session import Settings
from fleet_client.testing.memory import Memory
from fleet_client.testing.recorded import Asked
from fleet_client.testing.script import Play, Reply
from fleet_client.testing.wire import MemoryWire
from fleet_client.wire import Take, Wire
from fleet_contracts.grammar import DEFAULT_TENANT

DEFAULT_ANSWER = "This is the answer of a FakeFleet."


class FakeFleet(Face):
    """A fleet in memory with the face of `Fleet`: give it to your code instead, with `async with` as well.

    It is the real client over a wire in memory: the same checks, events, errors, deadlines and cancels. Like
    the fleet it remembers what it answered: the same request under the same `id` brings the same answer and
    uses up no reply of the script, and another one under it is a `Conflict`.

    Args:
        *script: the replies to give, in order: a `str` is an answer; `Says`, `Fails` and `Silence` say more;
            an error of `fleet_client` is raised; a function gets what was `Asked` and returns one of these.
        otherwise: the reply once the script is used up.
        tenant: as in `Fleet`.
        timeout_s: as in `Fleet`.
        grace_s: as in `Fleet`.
        max_buffered_events: as in `Fleet`.
        chance: as in `Fleet`.
        now_ms: as in `Fleet`.
    """

    def __init__(
        self,
        *script: Reply | Play,
        otherwise: Reply | Play = DEFAULT_ANSWER,
        tenant: str = DEFAULT_TENANT,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        grace_s: float = 2.0,
        max_buffered_events: int = 1024,
        chance: random.Random | None = None,
        now_ms: Callable[[], int] = system_now_ms,
    ) -> None:
        super().__init__(Settings(tenant, 1.0, grace_s, max_buffered_events), timeout_s, chance, now_ms)
        self._memory = Memory(script, otherwise)

    @property
    def asked(self) -> Sequence[Asked]:
        """What was asked and had no answer yet, in order; the newest 10,000."""
        return tuple(self._memory.asked)

    @property
    def answered(self) -> Sequence[str]:
        """The IDs of the requests that ended, in order; the newest 10,000."""
        return self._memory.ended

    @property
    def cancelled(self) -> Sequence[str]:
        """The IDs of the requests that were cancelled, in order."""
        return tuple(self._memory.cancelled)

    def will(self, *replies: Reply | Play) -> None:
        """Add to the script."""
        self._memory.extend(replies)

    def another(self) -> "FakeFleet":
        """Another client of the same fake fleet, not entered yet: what one has asked, both find answered."""
        sibling = copy(self)
        sibling._session = None  # noqa: SLF001 -- of its own class
        return sibling

    def _make_wire(self, take: Take, on_lost: Callable[[], None]) -> Wire:
        del on_lost  # a queue in memory is never lost
        return MemoryWire(self._memory, take)
