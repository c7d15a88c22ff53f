"""Turns as the handler knows them: over any histories, for as many workers as share them."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fleet_chassis.batches import in_batches
from fleet_chassis.store import StoreUnavailableError
from fleet_worker import conversing
from fleet_worker.completion import Completion
from fleet_worker.conversations.ending import ending
from fleet_worker.conversations.histories import RENEW_S
from fleet_worker.conversations.home import Held, Home
from fleet_worker.conversations.turn import FleetTurn
from fleet_worker.deadline import Deadline
from fleet_worker.hold import Hold, LostError
from fleet_worker.request import Request
from fleet_worker.terminal import Terminal


@dataclass(frozen=True, slots=True)
class FleetConversations:
    """One worker's face to the conversations. What a turn guarantees is said at `conversing.Turn`."""

    home: Home

    def turn(self, request: Request, hold: Hold) -> conversing.Turn:
        """The turn that this request is."""
        if request.conversation is None:
            return Alone(request)
        conversation = (request.tenant, request.conversation)
        return FleetTurn(wanted=request, conversation=conversation, hold=hold, home=self.home)

    def ending(self, hold: Hold) -> AbstractAsyncContextManager[Terminal | None]:
        """As `conversing.Conversations.ending`."""
        return ending(self.home, hold)

    async def run(self) -> None:
        """Renew what is held, until cancelled."""
        while True:
            await self.home.clock.sleep(RENEW_S)
            await self.renew_all()

    async def renew_all(self) -> None:
        """Renew what is held."""
        await in_batches(list(self.home.held), self._renew, self.home.clock)

    async def _renew(self, held: Held) -> None:
        if held not in self.home.held:
            return  # it has ended since
        try:
            kept = await self.home.histories.keep(held.conversation, held.claim)
        except StoreUnavailableError:
            return  # its lease runs on, and the append decides
        except Exception as bug:  # noqa: BLE001 - one bad answer must not end the renewal of all the others
            self.home.observer.broke(bug)
            return
        if not kept and held in self.home.held:
            held.hold.stop(LostError("the conversation is in other hands"))


@dataclass(slots=True)
class Alone:
    """The turn of a request that is in no conversation: there is nothing to do."""

    request: Request

    async def begin(self, deadline: Deadline) -> Terminal | None:
        """It has begun."""
        del deadline

    def answered(self, completion: Completion) -> Completion:
        """The answer as it is."""
        return completion

    async def append(self, terminal: Terminal, deadline: Deadline) -> None:
        """Nothing is kept."""

    async def ended(self) -> None:
        """Nothing was kept."""

    async def release(self) -> None:
        """Nobody waits."""
