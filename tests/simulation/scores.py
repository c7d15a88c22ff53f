"""Ranges of a sorted set, as Redis bounds them."""

Scores = dict[bytes, float]


def in_order(known: Scores) -> list[tuple[float, bytes]]:
    """By score, then by name."""
    return sorted((score, member) for member, score in known.items())


def between(known: Scores, low: bytes, high: bytes) -> list[bytes]:
    """The members whose scores lie between two bounds, as ZRANGEBYSCORE takes them."""
    (least, above), (most, below) = _bound(low), _bound(high)
    return [
        member
        for score, member in in_order(known)
        if (least < score or (least == score and not above))
        and (score < most or (score == most and not below))
    ]


def alphabetical(known: Scores, low: bytes, high: bytes) -> list[bytes]:
    """The members between two names, as ZRANGEBYLEX takes them; all scores are the same."""
    return [
        member
        for member in sorted(known)
        if (member >= low[1:] if low[:1] == b"[" else member > low[1:])
        and (member <= high[1:] if high[:1] == b"[" else member < high[1:])
    ]


def _bound(text: bytes) -> tuple[float, bool]:
    """A score that bounds a range, and whether it is left out."""
    return (float(text[1:]), True) if text[:1] == b"(" else (float(text), False)
