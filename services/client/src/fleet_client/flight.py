"""The lines of a batch that are under way, and what comes back to them."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from fleet_client.collecting import MAX_WINDOW
from fleet_client.following import Arrivals, Delivery, Seen
from fleet_client.line import BatchOutcome, Ready, Refused, outcome_of_refused
from fleet_client.outcome import ended
from fleet_client.reading import read
from fleet_client.request import Request
from fleet_contracts import Failure, Result
from fleet_contracts.grammar import routing_word


@dataclass(frozen=True, slots=True)
class Landed:
    """A line's outcome, and the message that brought it; None where no message did."""

    outcome: BatchOutcome
    delivery: Delivery | None


class Flight:
    """At most `window` lines at once, each until its reader is done with its outcome.

    A run that goes on finds replies in the queue whose lines it has not read again yet. Those wait here,
    unacknowledged, until their line comes. Past a bound the oldest is let go: its line is asked again then,
    and the fleet repeats the answer from its ledger.

    Args:
        window: lines under way at once.
        tenant: whose lines they are.
        arrivals: what the reply queue brings.
    """

    def __init__(self, window: int, tenant: str, arrivals: Arrivals) -> None:
        self._window = window
        self._tenant = tenant
        self._arrivals = arrivals
        self._lines: dict[str, Ready] = {}
        self._stops: dict[str, Callable[[], object]] = {}
        self._refused: deque[Refused] = deque()
        self._early: OrderedDict[str, Delivery] = OrderedDict()
        self._seen = Seen()
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_whole = False

    @property
    def requests(self) -> list[Request]:
        """What was asked and has not ended."""
        return [line.request for line in self._lines.values()]

    async def room(self) -> None:
        """Wait until one more line may be under way."""
        await self._has_room.wait()

    def add(self, line: Ready, ask: Callable[[Request], Callable[[], object]]) -> None:
        """Take a line up.

        Args:
            line: the line.
            ask: has its request published, and returns what stops that; not called where the reply is here.
        """
        request = line.request
        if request.id in self._lines:
            return
        self._lines[request.id] = line
        early = self._early.pop(request.id, None)
        if early is None or not _is_end_of(request, early):
            self._stops[request.id] = ask(request)
        if early is not None:
            self._arrivals.put(early)
        self._look_for_room()

    def refuse(self, line: Refused) -> None:
        """Take a line up that can't be sent."""
        self._refused.append(line)
        self._look_for_room()
        self._arrivals.wake()

    def all_added(self) -> None:
        """There are no more lines."""
        self._is_whole = True
        self._arrivals.wake()

    async def next(self) -> Landed | None:
        """How the next line ended; None after the last one.

        Raises:
            FleetError: the arrivals were ended.
        """
        while not (self._is_whole and not self._lines and not self._refused):
            if self._refused:
                return Landed(outcome_of_refused(self._refused[0], self._tenant), None)
            delivery = await self._arrivals.next()
            outcome = None if delivery is None else await self._outcome_of(delivery)
            if outcome is not None:
                return Landed(outcome, delivery)
        return None

    async def finish(self, landed: Landed) -> None:
        """The reader is done with this outcome: let the next line up."""
        if landed.delivery is None:
            self._refused.popleft()
        else:
            correlation_id = landed.outcome.id
            self._seen.add(correlation_id, landed.outcome.fleet_id)
            self._lines.pop(correlation_id, None)
            await landed.delivery.ack()
        self._look_for_room()

    async def _outcome_of(self, delivery: Delivery) -> BatchOutcome | None:
        received = read(delivery.body)
        reply = None if received is None else received.reply
        if received is None or not isinstance(reply, Result | Failure):
            await delivery.ack()
            return None
        line = self._lines.get(delivery.correlation_id)
        if line is None:
            await self._keep(delivery, reply.id)
            return None
        if not _is_of(line.request, reply.id):
            await delivery.ack()
            return None
        self._stop_asking(line.request.id)
        answer, error = ended(received, reply, line.request.id)
        return BatchOutcome(
            id=line.request.id,
            fleet_id=reply.id,
            tenant=line.request.tenant,
            model=routing_word(line.model),
            answer=answer,
            error=error,
            key=line.key,
            retry=line.request.retry,
        )

    async def _keep(self, delivery: Delivery, fleet_id: str) -> None:
        if self._seen.has(delivery.correlation_id, fleet_id):
            await delivery.ack()
            return
        self._early[delivery.correlation_id] = delivery
        if len(self._early) > MAX_WINDOW:
            _, oldest = self._early.popitem(last=False)
            await oldest.ack()

    def _stop_asking(self, correlation_id: str) -> None:
        stop = self._stops.pop(correlation_id, None)
        if stop is not None:
            stop()

    def _look_for_room(self) -> None:
        if len(self._lines) + len(self._refused) < self._window:
            self._has_room.set()
        else:
            self._has_room.clear()


def _is_of(request: Request, fleet_id: str) -> bool:
    # A refusal of any publish counts: all were the same bytes, and an earlier run's IDs are forgotten.
    return fleet_id.startswith(f"{request.id_base}:")


def _is_end_of(request: Request, delivery: Delivery) -> bool:
    received = read(delivery.body)
    return received is not None and _is_of(request, received.reply.id)
