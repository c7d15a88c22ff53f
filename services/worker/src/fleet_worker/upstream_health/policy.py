"""The numbers of breaker, account pause and retry budget, with where they come from."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPolicy:
    """When calls stop, for how long, and what a retry costs.

    The breaker's rate and least volume are Hystrix's defaults, known for keeping quiet at low traffic
    (https://github.com/Netflix/Hystrix/wiki/Configuration); its window is longer, for a call lasts long. The
    retry budget has the form and the numbers of the AWS SDKs' standard mode
    (https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html): a first failure is cheap to
    repeat, a bad hour is not, and what a retry cost comes back when it succeeds.
    """

    window_s: float = 30.0
    """Ended calls of so many seconds are looked at."""
    min_calls: int = 20
    """Fewer calls than this in a window say nothing."""
    rate: float = 0.5
    """The share of failures at which the breaker opens."""
    open_s: float = 15.0
    """How long it stays open the first time; twice as long after each failed probe."""
    longest_open_s: float = 120.0
    probe_s: float = 60.0
    """A probe that says nothing for so long no longer keeps others from probing."""
    look_s: float = 15.0
    """How soon a paused account is looked at; twice as long after each look in vain."""
    longest_look_s: float = 60.0
    held_s: float = 30.0
    """A delivery is held for a pause of so many seconds; a request whose pause is longer is parked."""
    held_refusals: int = 3
    """A request that was turned away so often is parked, and after so many times more again."""
    longest_retry_after_s: float = 3600.0
    """Nobody is sent away for longer, whatever an upstream or a proxy before it says."""
    budget: int = 500
    """What the retry bucket holds."""
    cost: int = 14
    """Of a retry after an ordinary failure."""
    cost_throttled: int = 5
    """Of a retry after a 429."""
    spread: float = 0.5
    """Those who were put aside come back spread over so much of the time that nothing was tried."""
