"""Tells the stack's own simulator what is to go wrong; see its README for the faults."""

import asyncio
import json
from collections.abc import Mapping
from urllib.request import Request, urlopen

ANSWER_DEADLINE_S = 10.0


async def inject(base_url: str, fault: Mapping[str, object]) -> None:
    """Put a fault in force at the simulator of this base URL; raises OSError if it does not take it."""
    await asyncio.to_thread(_posted, f"{base_url}/_simulator/faults", json.dumps(fault).encode())


def _posted(url: str, body: bytes) -> None:
    request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - of our own simulator
    with urlopen(request, timeout=ANSWER_DEADLINE_S):  # noqa: S310
        pass
