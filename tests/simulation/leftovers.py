"""What is still to be done before a run may end, or was left behind by what has ended."""

from collections import Counter
from typing import cast

from fleet_contracts.topology import REQUESTS_DEAD
from simulation.broker import RESULTS_HEARD
from simulation.fleet import Fleet
from simulation.joining import NAMESPACE
from simulation.worker import SimulatedWorker

_READ_BY_NOBODY = frozenset({RESULTS_HEARD, REQUESTS_DEAD})


def still_to_do(fleet: Fleet) -> list[str]:
    """What is still to be done before the run may end; nothing once it has come to rest."""
    broker = fleet.broker
    left: list[str] = []
    if not fleet.well:
        left.append("a worker is not well")
    if any(caller.still_asks for caller in fleet.callers):
        left.append("a caller still asks")
    waiting = {name: len(queue.ready) for name, queue in broker.queues.items() if queue.ready}
    waiting = {name: n for name, n in waiting.items() if name not in _READ_BY_NOBODY and not _is_reply(name)}
    if waiting or broker.unacked() or broker.in_rungs:
        left.append(f"O8: in queues {waiting}, unacknowledged {broker.unacked()}, parked {broker.in_rungs}")
    left += [f"O8: {what}" for worker in fleet.slots for what in _of(worker)]
    left += [f"O8: in the store {what}" for what in _leases(fleet)]
    if fleet.upstream.in_flight:
        left.append(f"O8: {len(fleet.upstream.in_flight)} calls in flight")
    return left


def _leases(fleet: Fleet) -> list[str]:
    """Claims and permits that the store still counts."""
    found: Counter[str] = Counter()
    # A record from before the end of its request harms nobody once its lease is over.
    since = fleet.world.now_ms() if fleet.scenario.forgets else 0
    for key, value in fleet.store.redis.data.items():
        if key.startswith(f"{NAMESPACE}:request:".encode()) and isinstance(value, dict):
            known = cast("dict[bytes, bytes]", value)
            found["owned records"] += bool(known.get(b"owner")) and int(known[b"lease"]) > since
        elif key.endswith((b":held", b":tickets")):
            found[key.decode()] += len(value)
    return [f"{what}: {count}" for what, count in found.items() if count]


def _of(worker: SimulatedWorker) -> list[str]:
    """What a worker that has nothing to do still has."""
    joined = worker.joined
    if joined.worker is None or joined.built is None or joined.limiter is None:
        return []
    held = [hold.key[1] for hold in joined.built.holds.all()]
    pools = joined.limiter.desk._pools  # pyright: ignore[reportPrivateUsage] - nothing else tells
    permits = [ask_id for pool in pools.values() for ask_id in (*pool.held, *pool.wishes)]
    counted = {
        "holds": held,
        "permits": permits,
        "running requests": joined.worker.supervisor.running,
        "waiting deliveries": joined.worker.supervisor.waiting,
        "copies on their way": len(joined.worker.deliverer._unfinished),  # pyright: ignore[reportPrivateUsage]
    }
    return [f"{worker.name} has {what}: {count}" for what, count in counted.items() if count]


def _is_reply(name: str) -> bool:
    return name.startswith("deepseek.reply.")
