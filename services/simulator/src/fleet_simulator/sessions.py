"""Session tokens, as some gateways want them: an API key is exchanged for a token that lives a while.

DeepSeek itself has nothing of the kind, so all of it is off unless it is switched on.
"""

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from fleet_simulator.clock import Clock

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How keys are exchanged.

    Attributes:
        required: Whether calls are let in with a token alone, and `POST /v1/auth` gives one.
        lifetime: How long a token lives, in seconds.
        tells_lifetime: Whether the answer says so, in `expires_in`.

    Raises:
        ValueError: `lifetime` is not above 0.
    """

    required: bool = False
    lifetime: float = 3600.0
    tells_lifetime: bool = True

    def __post_init__(self) -> None:
        if self.lifetime <= 0:
            raise ValueError("a session's lifetime must be a number of seconds above 0")


class Sessions:
    """The tokens that live, and how many were ever given.

    Args:
        clock: Ends them.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self.exchanges = 0
        """How often a key was exchanged."""

    def open(self, key: str, lifetime: float) -> str:
        """A new token for a key."""
        self.exchanges += 1
        token = f"st-{secrets.token_hex(16)}"
        self._tokens[token] = (key, self._clock.monotonic() + lifetime)
        if len(self._tokens) > _MOST:
            self._tokens.popitem(last=False)
        return token

    def key_of(self, token: str) -> str | None:
        """The key that a token was given for, while the token lives."""
        key, ends = self._tokens.get(token, (None, 0.0))
        return key if self._clock.monotonic() < ends else None

    @property
    def living(self) -> int:
        """How many tokens live now."""
        now = self._clock.monotonic()
        return sum(now < ends for _, ends in self._tokens.values())

    def end(self) -> None:
        """End every token now."""
        self._tokens.clear()
