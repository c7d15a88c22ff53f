"""The text of a bench's deltas: each says of which stream it is, its number, and when it was sent."""

import re
import time

MARK = re.compile(rb"~(\d{5})\.(\d{5})@(\d{15})")
MARK_CHARACTERS = 28


def now_us() -> int:
    """One clock for every process of the machine."""
    return time.monotonic_ns() // 1000


def question(stream: int, deltas: int, period_ms: int) -> str:
    """The prompt that tells the upstream what to do, and when it was asked."""
    return f"bench {stream} {deltas} {period_ms} {now_us()}"
