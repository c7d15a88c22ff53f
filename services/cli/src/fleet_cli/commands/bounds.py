"""The largest limits that can be set: a slip is likelier beyond them, and counting not exact."""

MOST_CALLS = 1_000_000
MOST_A_MINUTE = 1_000_000_000
MOST_DOLLARS = 1_000_000
