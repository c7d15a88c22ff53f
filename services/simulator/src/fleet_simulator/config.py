"""What can be set: timing, lengths of answers, accounts, their money and their limits."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

from fleet_simulator.bursts import Burst
from fleet_simulator.cache import CacheRules
from fleet_simulator.curve import Curve
from fleet_simulator.sessions import SessionRules

DEFAULT_KEY = "sk-simulator"
CURRENCIES = ("CNY", "USD")


@dataclass(frozen=True, slots=True)
class Timing:
    """How long things take, in seconds, as measured on the real API.

    Attributes:
        headers: From the call's arrival to its response headers.
        first_token: From the headers to the first chunk with text.
        keep_alive: Between two keep-alives of a call that waits.
        queue_close: How long a call may wait for its start before the connection is closed.
        tokens_per_second: Speed of one stream; 0 sends as fast as the socket takes it.
        cache_write: From a call's end until the context cache knows what it read and wrote.
    """

    headers: float = 0.4
    first_token: float = 0.2
    keep_alive: float = 12.4
    queue_close: float = 600.0
    tokens_per_second: float = 90.0
    cache_write: float = 3.0

    def sped_up(self, speed: float) -> "Timing":
        """The same behaviour, `speed` times faster."""
        return Timing(
            headers=self.headers / speed,
            first_token=self.first_token / speed,
            keep_alive=self.keep_alive / speed,
            queue_close=self.queue_close / speed,
            tokens_per_second=self.tokens_per_second * speed,
            cache_write=self.cache_write / speed,
        )


INSTANT = Timing(headers=0.0, first_token=0.0, tokens_per_second=0.0, cache_write=0.0)
"""No delay anywhere; keep-alives and the queue's end keep their real period."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long answers are, in tokens: drawn between the two ends, then rounded up to whole sentences."""

    reasoning: tuple[int, int] = (40, 110)
    content: tuple[int, int] = (60, 180)


DEFAULT_LENGTHS = Lengths()


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays. All keys of an account share its concurrency and its balance.

    Attributes:
        name: The account's name in the log; never sent to callers.
        keys: The API keys that open it.
        limits: Calls in flight per model; a model that is not named has the simulator's own limit.
        balance: The money it starts with, in `currency`. The default is more than any run can spend, so that
            nobody meets an empty account by chance.
        currency: CNY or USD.
        granted: The part of the balance that was a present; it is spent first.

    Raises:
        ValueError: An amount is no number, or the currency is unknown.
    """

    name: str
    keys: tuple[str, ...]
    limits: Mapping[str, int] = field(default_factory=dict[str, int])
    balance: str = "1000000.00"
    currency: str = "CNY"
    granted: str = "0.00"

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise ValueError(f"unknown currency {self.currency!r}: use one of {list(CURRENCIES)}")
        for amount in (self.balance, self.granted):
            if not _is_amount(amount):
                raise ValueError(f"{amount!r} is no amount: write a number as a string, as in '110.00'")


def _is_amount(given: object) -> bool:
    try:
        return isinstance(given, str) and Decimal(given).is_finite()
    except InvalidOperation:
        return False


def _published_limits() -> dict[str, int]:
    return {"deepseek-flash": 2500, "deepseek-v4-pro": 500}


@dataclass(frozen=True, slots=True)
class SimulatorConfig:
    """Everything that decides how the simulator behaves. The defaults are the real API's, on a good day.

    Attributes:
        accounts: Who may call.
        limits: Calls in flight per account and model (api-docs.deepseek.com, "Rate Limit & Isolation").
        curve: How these limits fall with an account's balance.
        holidays: Chinese public holidays, which have no peak price, as in `2026-10-01`.
        timing: How long things take.
        lengths: How long answers are.
        speed: Divides every delay and multiplies the token rate.
        bursts: Times in which completions are refused.
        blank_json: Share of the answers in JSON mode whose content is all spaces.
        every_reasoning: Refuse each request with tools that leaves out the reasoning of an earlier turn, as
            the guide says; otherwise only one that continues a tool call, as was seen.
        cache: How good the context cache is.
        sessions: Whether keys have to be exchanged for session tokens, as some gateways want it.
        trailing_usage: Send usage in a chunk of its own, as OpenAI does, instead of on the last one.
        log_capacity: Events kept in the log; older ones are dropped.
        body_limit: Largest request body, in bytes.
        seed: Where chance starts: trace ids, bursts, blank answers and cache misses.

    Raises:
        ValueError: `blank_json` is no share or `speed` is not above 0.
    """

    accounts: tuple[Account, ...] = (Account("default", (DEFAULT_KEY,)),)
    limits: Mapping[str, int] = field(default_factory=_published_limits)
    curve: Curve = field(default_factory=Curve)
    holidays: frozenset[str] = frozenset()
    timing: Timing = Timing()
    lengths: Lengths = DEFAULT_LENGTHS
    speed: float = 1.0
    bursts: tuple[Burst, ...] = ()
    blank_json: float = 0.0
    every_reasoning: bool = False
    cache: CacheRules = field(default_factory=CacheRules)
    sessions: SessionRules = field(default_factory=SessionRules)
    trailing_usage: bool = False
    log_capacity: int = 200_000
    body_limit: int = 64 * 1024 * 1024
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.blank_json <= 1:
            raise ValueError("blank_json must be a number from 0 to 1")
        if self.speed <= 0:
            raise ValueError("speed must be a number above 0")

    @property
    def pace(self) -> Timing:
        """The timing with the speed applied."""
        return self.timing.sped_up(self.speed)

    def at_once(self) -> "SimulatorConfig":
        """The same simulator without delays: what most tests want."""
        return replace(self, timing=INSTANT)
