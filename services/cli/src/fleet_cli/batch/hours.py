"""DeepSeek's cheaper hours, by its published price list.

The wire has two lanes and no third one for these hours. A batch keeps only a window of lines in the fleet, so
holding the others back where they are read comes to the same, and needs no queue, key or right of its own.
"""

from datetime import UTC, datetime

from fleet_worker.prices import Peak, published_prices

MARGIN_S = 300
"""So long before the dearer hours nothing is sent any more, so that what is under way ends in time."""
_STEP_S = 60
_WEEK_S = 7 * 24 * 3600


class CheaperHours:
    """When lines may be sent.

    Args:
        peak: when everything costs more; as DeepSeek publishes it where left out.
    """

    def __init__(self, peak: Peak | None = None) -> None:
        self._peak = published_prices().peak if peak is None else peak

    def closed_for_s(self, now_ms: int) -> float:
        """Seconds until lines may be sent again, to the minute; 0 where they may be sent now."""
        for wait_s in range(0, _WEEK_S, _STEP_S):
            at_ms = now_ms + wait_s * 1000
            if not (self._peak.holds(at_ms) or self._peak.holds(at_ms + MARGIN_S * 1000)):
                return float(wait_s)
        return 0.0


def until(now_ms: int, wait_s: float) -> str:
    """The moment at which a wait ends, for people."""
    at = datetime.fromtimestamp(now_ms / 1000 + wait_s, UTC)
    return f"{at:%a %H:%M} UTC"
