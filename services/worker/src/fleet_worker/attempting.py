"""What the attempts of all requests share."""

from dataclasses import dataclass, field

from fleet_chassis.clock import Clock
from fleet_worker.attempts import Attempts
from fleet_worker.hold import Hold
from fleet_worker.observing import Observer
from fleet_worker.ports import Ledger, ReplyStream
from fleet_worker.postponing import Upstream
from fleet_worker.prices import PriceLists, published_prices
from fleet_worker.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempting:
    """What all requests' attempts share."""

    ledger: Ledger
    upstream: Upstream
    most: int
    clock: Clock
    observer: Observer
    prices: PriceLists = field(default_factory=published_prices)

    def of(self, request: Request, hold: Hold, stream: ReplyStream) -> Attempts:
        """The attempts of one request that has just arrived."""
        return Attempts(
            wanted=request,
            hold=hold,
            stream=stream,
            ledger=self.ledger,
            upstream=self.upstream,
            most=self.most,
            clock=self.clock,
            observer=self.observer,
            prices=self.prices,
        )
