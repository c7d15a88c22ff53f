"""What can be set: timing, lengths of answers, accounts and their limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

DEFAULT_KEY = "sk-simulator"


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in seconds, as measured on the real API.

    Attributes:
        headers: From the call's arrival to its response headers.
        first_token: From the headers to the first chunk with text.
        keep_alive: Between two keep-alives of a call that waits.
        queue_close: How long a call may wait for its start before the connection is closed.
        tokens_per_second: Speed of one stream; 0 sends as fast as the socket takes it.
    """

    headers: float = 0.4
    first_token: float = 0.2
    keep_alive: float = 12.4
    queue_close: float = 600.0
    tokens_per_second: float = 90.0

    def sped_up(self, speed: float) -> "Timing":
        """The same behaviour, `speed` times faster."""
        return Timing(
            headers=self.headers / speed,
            first_token=self.first_token / speed,
            keep_alive=self.keep_alive / speed,
            queue_close=self.queue_close / speed,
            tokens_per_second=self.tokens_per_second * speed,
        )


INSTANT = Timing(headers=0.0, first_token=0.0, tokens_per_second=0.0)
"""No delay anywhere; keep-alives and the queue's end keep their real period."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long answers are, in tokens: drawn between the two ends, then rounded up to whole sentences."""

    reasoning: tuple[int, int] = (40, 110)
    content: tuple[int, int] = (60, 180)


DEFAULT_LENGTHS = Lengths()


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays. All keys of an account share its concurrency.

    Attributes:
        name: The account's name in the log; never sent to callers.
        keys: The API keys that open it.
        limits: Calls in flight per model; a model that is not named has the simulator's own limit.
        balance: What `/user/balance` shows, in `currency`.
        currency: CNY or USD.
    """

    name: str
    keys: tuple[str, ...]
    limits: Mapping[str, int] = field(default_factory=dict[str, int])
    balance: str = "110.00"
    currency: str = "CNY"


def _published_limits() -> dict[str, int]:
    return {"deepseek-flash": 2500, "deepseek-v4-pro": 500}


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Everything that decides how the simulator behaves. The defaults are the real API's.

    Attributes:
        accounts: Who may call.
        limits: Calls in flight per account and model (api-docs.deepseek.com, "Rate Limit & Isolation").
        timing: How long things take.
        lengths: How long answers are.
        speed: Divides every delay and multiplies the token rate.
        trailing_usage: Send usage in a chunk of its own, as OpenAI does, instead of on the last one.
        log_capacity: Events kept in the log; older ones are dropped.
        body_limit: Largest request body, in bytes.
        seed: Where chance starts: trace ids and the probability of faults.
    """

    accounts: tuple[Account, ...] = (Account("default", (DEFAULT_KEY,)),)
    limits: Mapping[str, int] = field(default_factory=_published_limits)
    timing: Timing = Timing()
    lengths: Lengths = DEFAULT_LENGTHS
    speed: float = 1.0
    trailing_usage: bool = False
    log_capacity: int = 200_000
    body_limit: int = 64 * 1024 * 1024
    seed: int = 0

    @property
    def pace(self) -> Timing:
        """The timing with the speed applied."""
        return self.timing.sped_up(self.speed)

    def at_once(self) -> "SimulatorConfig":
        """The same simulator without delays: what most tests want."""
        return replace(self, timing=INSTANT)
