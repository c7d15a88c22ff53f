"""What this worker has of a limiter's permits: held, waited for, to be given back; stated again and again."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from fleet_chassis.clock import Clock
from fleet_chassis.store import StoreScriptError, StoreUnavailableError
from fleet_worker.limiter.errands import Errands
from fleet_worker.limiter.observing import LimiterObserver
from fleet_worker.limiter.possessions import Possessions, Wish
from fleet_worker.limiter.rules import BEAT_S, account_of
from fleet_worker.limiter.terms import Ask, Book, Granted, Refused, Said, Settlement

TRY_AGAIN_S = 0.25
CALLED_AGAIN_S = 0.5
MOST_UNSETTLED = 10_000


class Desk:
    """Keeps the book and this worker of one mind."""

    def __init__(
        self,
        book: Book,
        idle_pool: str,
        clock: Clock,
        observer: LimiterObserver,
        longest_s: float = math.inf,
    ) -> None:
        """`idle_pool`: where it beats that has nothing. `longest_s`: for which no permit can be held."""
        self._longest_s = longest_s
        self._observer = observer
        self._book = book
        self._idle_pool = idle_pool
        self._clock = clock
        self._pools: dict[str, Possessions] = {}
        self._unsettled: dict[str, tuple[Ask, Settlement]] = {}
        self._errands = Errands(observer.broke, at_once=book.beat_s is None)
        self._beat_now = asyncio.Event()
        self._called_at = 0.0
        self._away = False
        self._closed = False

    @property
    def away(self) -> bool:
        """Whether the book did not answer when it was last asked."""
        return self._away

    def pool(self, name: str) -> Possessions:
        """This worker's part of a pool."""
        return self._pools.get(name) or self._pools.setdefault(name, Possessions())

    async def acquire(self, wish: Wish) -> Granted | Refused | Said:
        """Ask once; whoever has to wait looks at the wish's answer."""
        pool = self.pool(wish.ask.pool)
        pool.wishes[wish.ask.id] = wish
        said = await self._asked(self._book.acquire(wish.ask))
        if isinstance(said, Granted):
            self._hold(wish)
        self._look_later(wish.ask.pool, said)
        return said

    def use_spare(self) -> None:
        """Begin what waits without the store, from the slots that it never grants."""
        for pool in self._pools.values():
            pool.use_spare(self._clock.monotonic())

    def leave(self, wish: Wish) -> None:
        """Wait no more."""
        self.pool(wish.ask.pool).wishes.pop(wish.ask.id, None)
        # It may have been granted while the one who waited was already being cancelled.
        self.give_back(wish.ask)

    def release(self, ask: Ask, settlement: Settlement) -> None:
        """Give a permit back; returns at once, and the book is told until it has heard."""
        pool = self.pool(ask.pool)
        pool.drop(ask.id)
        if len(self._unsettled) < MOST_UNSETTLED:
            self._unsettled[ask.id] = (ask, settlement)
        else:
            pool.unsure = True
        self._errands.run(self._settle(ask, settlement))
        if self._away:
            self.use_spare()

    def give_back(self, ask: Ask) -> None:
        """Give back a permit that no call was made with; returns at once."""
        self.pool(ask.pool).drop(ask.id)
        self._errands.run(self._leave(ask))

    async def teach(self, account: str, expected: Callable[[str], int]) -> None:
        """Lower the limit of every pool of an account that is known here to what `expected` says of it."""
        for name in [name for name in self._pools if account_of(name) == account]:
            with suppress(StoreUnavailableError):
                self._look_later(name, await self._asked(self._book.teach(name, expected(name))))

    def granted(self, ask_id: str) -> None:
        """A wish that waited has its permit; where nobody waits for it any more it is declined."""
        for pool in self._pools.values():
            wish = pool.wishes.get(ask_id)
            if wish is not None:
                self._hold(wish)
                return
        if not any(ask_id in pool.held for pool in self._pools.values()):
            # Nobody knows any more in which pool it was.
            for pool in self._pools.values():
                pool.unsure = True
            self.called()

    def refused(self, ask_id: str) -> None:
        """A wish that waited can't be granted any more."""
        for pool in self._pools.values():
            wish = pool.wishes.pop(ask_id, None)
            if wish is not None and not wish.answer.done():
                wish.answer.set_result(False)

    def called(self, pool: str = "") -> None:
        """Beat now, in that pool too where one is named, but not again and again."""
        if pool:
            self.pool(pool).unsure = True
        now = self._clock.monotonic()
        if now - self._called_at >= CALLED_AGAIN_S:
            self._called_at = now
            self._beat_now.set()

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            self._beat_now.clear()
            await self.beat()
            pause_s = TRY_AGAIN_S if self._away else self._book.beat_s or BEAT_S
            try:
                async with asyncio.timeout(pause_s):
                    await self._beat_now.wait()
            except TimeoutError:
                continue

    async def beat(self) -> None:
        """State once what this worker has, in every pool in which it has something."""
        try:
            await self._settle_all()
            # Until a pool is empty somebody has to look: what the dead held is taken back by those who look.
            names = [name for name, pool in self._pools.items() if pool.concerns_us()] or [self._idle_pool]
            for name in names:
                await self._beat_in(name, last=name == names[-1])
        except StoreUnavailableError:
            self._is_away(away=True)
            self.use_spare()
        except Exception as error:  # noqa: BLE001 - whoever stops beating loses what it holds
            # A right that is lacking may be given yet, and a bug in one answer need not be in the next.
            self._observer.broke(error)
            self._is_away(away=True)
        else:
            self._is_away(away=False)

    async def _settle_all(self) -> None:
        told = (self._settle_once(ask, settlement) for ask, settlement in list(self._unsettled.values()))
        for answer in await asyncio.gather(*told, return_exceptions=True):
            if isinstance(answer, StoreUnavailableError):
                raise answer
            if isinstance(answer, BaseException):
                self._observer.broke(answer)

    async def _beat_in(self, name: str, *, last: bool) -> None:
        pool, now = self.pool(name), self._clock.monotonic()
        if pool.give_up_older(now - self._longest_s):
            self._observer.broke(RuntimeError("a permit was held longer than any request lasts"))
        held, waiting = pool.stated(now), [wish.ask for wish in pool.wishes.values()]
        ending = [ask.id for ask, _ in self._unsettled.values() if ask.pool == name]
        pool.unsure = False
        try:
            beaten = await self._book.beat(name, held, waiting, ending, last=last)
        except BaseException:
            pool.unsure = True
            raise
        if beaten.again:
            self._beat_now.set()
        pool.heard(beaten, held)
        for ask_id in beaten.lost:
            if pool.lose(ask_id):
                self._observer.lost()
        for forsaken in beaten.forsaken:
            self.pool(forsaken).unsure = True
        for ask_id in beaten.unheard:
            self.granted(ask_id)
        self._observer.beaten(name, beaten)
        self._look_later(name, beaten)

    async def aclose(self) -> None:
        """Tell the book what it has not heard yet, for as long as that is quick, and stop."""
        self._closed = True
        for pool in self._pools.values():
            pool.look_no_more()
        await self._errands.aclose()

    def _hold(self, wish: Wish) -> None:
        self.pool(wish.ask.pool).hold(wish, self._clock.monotonic())

    async def _asked(self, asking: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await asking
        except StoreUnavailableError:
            if not self._away:  # else it is a beat that asks, and the next one comes soon
                self._beat_now.set()
            self._is_away(away=True)
            raise

    async def _leave(self, ask: Ask) -> None:
        try:
            self._look_later(ask.pool, await self._asked(self._book.leave(ask)))
        except StoreUnavailableError:
            # A beat in this pool does not name it, which says the same.
            self.pool(ask.pool).unsure = True

    async def _settle(self, ask: Ask, settlement: Settlement) -> None:
        try:
            await self._settle_once(ask, settlement)
        except StoreUnavailableError:
            return  # told again before the next beat

    async def _settle_once(self, ask: Ask, settlement: Settlement) -> None:
        try:
            said = await self._asked(self._book.release(ask, settlement))
        except StoreScriptError:
            # What is refused once is refused always: the next beat in this pool drops the permit.
            self._unsettled.pop(ask.id, None)
            self.pool(ask.pool).unsure = True
            raise
        self._unsettled.pop(ask.id, None)
        self._look_later(ask.pool, said)

    def _look_later(self, name: str, said: Said) -> None:
        if said.next_ms < 0 or self._closed:
            return
        self.pool(name).look_in(said.next_ms, lambda: self._errands.run(self._look(name)))

    async def _look(self, name: str) -> None:
        self.pool(name).timer = None
        try:
            self._look_later(name, await self._asked(self._book.look(name)))
        except StoreUnavailableError:
            return  # the next beat looks too

    def _is_away(self, *, away: bool) -> None:
        if away != self._away:
            self._away = away
            self._observer.away(is_away=away)
