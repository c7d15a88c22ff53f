"""Pure: how long a request is put aside while its upstream is in trouble."""

LONGEST_S = 120.0
_SHARE_OF_DOWN = 0.25
_FIRST_TURNED_AWAY_S = 5.0


def wait_s(left_s: float, down_s: float, spread: float) -> float:
    """Seconds to wait: until somebody tries again, and longer the longer the trouble has lasted.

    Long trouble ends late as seen from one request, and looking often would only turn the rungs over. So a
    quarter of what it has lasted is waited, two minutes at most.

    Args:
        left_s: seconds until somebody tries again.
        down_s: seconds since the trouble began.
        spread: 1 or more: how many times longer this one waits, for not all shall come back at once.
    """
    return max(left_s, min(LONGEST_S, down_s * _SHARE_OF_DOWN)) * spread


def turned_away_s(rounds: int, spread: float) -> float:
    """Seconds to wait for an upstream that is full or overloaded: 5 at first, twice as long after each round.

    Args:
        rounds: how often the request has been put aside for it, this time included.
        spread: 1 or more: how many times sooner this one comes back, for the shortest rung is 5 s long.
    """
    longest_power = 5  # beyond it the bound counts, and numbers would grow for nothing
    return min(LONGEST_S, _FIRST_TURNED_AWAY_S * 2 ** min(rounds - 1, longest_power)) / spread
