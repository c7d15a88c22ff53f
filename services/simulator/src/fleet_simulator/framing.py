"""How messages become writes: split, merged, and with the oddities that a reader has to survive."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle

from fleet_simulator.faults import Kind, Plan

Write = tuple[int, Sequence[bytes]]
"""How many messages it holds, and the pieces to send one after the other."""

_BOM = b"\xef\xbb\xbf"
_NO_UTF8 = b"\xc3\x28\xff"
_CONTENT = b'content":"'
_FRAMING = frozenset({Kind.SPLIT, Kind.MERGE, Kind.CRLF, Kind.BOM, Kind.BROKEN_UTF8, Kind.HUGE_LINE})


def framed(messages: Iterable[bytes], plan: Plan) -> Iterator[Write]:
    """The writes for a stream of messages: one each, unless the plan says otherwise."""
    if plan.keys().isdisjoint(_FRAMING):
        return ((1, (message,)) for message in messages)
    spoiled = _spoil(messages, plan)
    return _split(_merge(spoiled, plan), plan)


def pieces(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """`data` cut into pieces of the given sizes, which are used in turn until nothing is left."""
    cut: list[bytes] = []
    at = 0
    for size in cycle(sizes):
        if at >= len(data):
            break
        cut.append(data[at : at + size])
        at += size
    return cut


def _spoil(messages: Iterable[bytes], plan: Plan) -> Iterator[bytes]:
    broken, huge = plan.get(Kind.BROKEN_UTF8), plan.get(Kind.HUGE_LINE)
    for number, message in enumerate(messages):
        spoiled = message
        if broken and number == (1 if broken.after_chunks is None else broken.after_chunks):
            spoiled = spoiled.replace(_CONTENT, _CONTENT + _NO_UTF8, 1)
        if huge and number == (huge.after_chunks or 0):
            spoiled = spoiled.replace(b"data: {", b'data: {"padding":"%b",' % (b"x" * huge.size), 1)
        if Kind.CRLF in plan:
            spoiled = spoiled.replace(b"\n", b"\r\n")
        if Kind.BOM in plan and number == 0:
            spoiled = _BOM + spoiled
        yield spoiled


def _merge(messages: Iterable[bytes], plan: Plan) -> Iterator[tuple[int, bytes]]:
    fault = plan.get(Kind.MERGE)
    most = fault.events if fault else 1
    held: list[bytes] = []
    for message in messages:
        held.append(message)
        if len(held) >= most:
            yield len(held), b"".join(held)
            held = []
    if held:
        yield len(held), b"".join(held)


def _split(writes: Iterable[tuple[int, bytes]], plan: Plan) -> Iterator[Write]:
    fault = plan.get(Kind.SPLIT)
    for count, data in writes:
        yield count, pieces(data, fault.sizes) if fault else (data,)
