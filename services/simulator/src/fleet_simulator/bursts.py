"""Times in which the service refuses completions: by chance, in windows, or both."""

import random
from dataclasses import dataclass

_LOWEST_STATUS = 400
_HIGHEST_STATUS = 599


@dataclass(frozen=True, slots=True)
class Burst:
    """A share of the completions is refused at once, for good or in windows that may come back.

    Attributes:
        status: 503 or 500, or any other refusal.
        probability: Share of the calls that is refused while the burst is on.
        after: Seconds from the moment it was set until it is on for the first time.
        lasts: Seconds that it stays on; None for ever.
        every: Seconds from one beginning to the next; None for only once.
        model: The model it strikes; None for both.

    Raises:
        ValueError: A field is out of its range.
    """

    status: int = 503
    probability: float = 1.0
    after: float = 0.0
    lasts: float | None = None
    every: float | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if not _LOWEST_STATUS <= self.status <= _HIGHEST_STATUS:
            raise ValueError("status must be an HTTP error, from 400 to 599")
        if not 0 <= self.probability <= 1:
            raise ValueError("probability must be a number from 0 to 1")
        if self.after < 0 or (self.lasts is not None and self.lasts <= 0):
            raise ValueError("after must be 0 or more seconds, lasts more than 0")
        if self.every is not None and (self.lasts is None or self.every < self.lasts):
            raise ValueError("every needs lasts, and must be at least as long")

    def is_on(self, elapsed: float) -> bool:
        """Whether the burst is on, `elapsed` seconds after it was set."""
        since = elapsed - self.after
        if since < 0:
            return False
        within = since if self.every is None else since % self.every
        return self.lasts is None or within < self.lasts

    def strikes(self, model: str, elapsed: float, chance: random.Random) -> bool:
        """Whether a call of this model is refused; draws from `chance` only while the burst is on."""
        meant = self.model in (None, model)
        return meant and self.is_on(elapsed) and chance.random() < self.probability
