"""Whether somebody serves the requests, how many wait, and what died."""

from collections.abc import Sequence

from fleet_cli.doctor.asker import Asker, Counts
from fleet_cli.doctor.check import Check, failed, fine, skipped, warning
from fleet_contracts.topology import (
    CONTROL_CANCELS,
    DEAD_RAW,
    REQUESTS,
    REQUESTS_BATCH,
    REQUESTS_DEAD,
    REQUESTS_RESUMED,
    RETRY_RUNGS_S,
    retry_rung,
)

SERVED = (REQUESTS, REQUESTS_BATCH, REQUESTS_RESUMED)
PARKED = tuple(retry_rung(seconds) for seconds in RETRY_RUNGS_S)
DEAD_LETTERS = (REQUESTS_DEAD, DEAD_RAW)
CONSUMED = (*SERVED, CONTROL_CANCELS, DEAD_RAW)

Known = dict[str, Counts]


async def check_queues(asker: Asker, of_tenants: Sequence[str]) -> list[Check]:
    """The checks of consumers, backlog and dead letters; of tenants' own queues where there are some."""
    known: Known = {}
    for queue in (*SERVED, CONTROL_CANCELS, *PARKED, *DEAD_LETTERS, *of_tenants):
        answer = await asker.count(queue)
        if isinstance(answer, Counts):
            known[queue] = answer
    own = [tenants_queues(of_tenants, known)] if of_tenants else []
    return [consumers(known), backlog(known), *own, dead_letters(known)]


def consumers(known: Known) -> Check:
    """Each queue that workers read has a consumer."""
    if (unknown := _unknown(CONSUMED, known)) is not None:
        return skipped("consumers", unknown)
    idle = [queue for queue in CONSUMED if not known[queue].consumers]
    if idle:
        advice = (
            "start a worker: `make up` here, or `fleet worker` with AMQP_URL and DEEPSEEK_API_KEY; those "
            "that run leave requests where they are while an account is paused or every model is left alone"
        )
        return failed("consumers", f"nobody serves {', '.join(idle)}", advice)
    return fine("consumers", _each(CONSUMED, [known[queue].consumers for queue in CONSUMED]))


def backlog(known: Known) -> Check:
    """How many requests wait; many are no failure as long as somebody serves them."""
    if (unknown := _unknown((*SERVED, *PARKED), known)) is not None:
        return skipped("backlog", unknown)
    waiting = [known[queue].messages for queue in SERVED]
    parked = sum(known[queue].messages for queue in PARKED)
    return fine("backlog", f"{_each(SERVED, waiting)}; {parked} parked")


def tenants_queues(queues: Sequence[str], known: Known) -> Check:
    """Each queue of a tenant's own is there, and has a consumer."""
    name = "tenants' queues"
    if (unknown := _unknown(queues, known)) is not None:
        return failed(name, unknown, "`fleet tenant add` of that tenant declares them again")
    if idle := [queue for queue in queues if not known[queue].consumers]:
        advice = "start a worker of this release; those that run take them up within seconds"
        return failed(name, f"nobody serves {', '.join(idle)}", advice)
    return fine(name, _each(queues, [known[queue].messages for queue in queues]))


def dead_letters(known: Known) -> Check:
    """No dead letter waits for an operator."""
    if (unknown := _unknown(DEAD_LETTERS, known)) is not None:
        return skipped("dead letters", unknown)
    counts = [known[queue].messages for queue in DEAD_LETTERS]
    if not any(counts):
        return fine("dead letters", "none")
    return warning(
        "dead letters",
        _each(DEAD_LETTERS, counts),
        f"see `fleet dlq list` for {REQUESTS_DEAD}; what stays in {DEAD_RAW} waits for a worker",
    )


def _unknown(queues: Sequence[str], known: Known) -> str | None:
    lacking = [queue for queue in queues if queue not in known]
    return f"missing, or not to be asked by this user: {', '.join(lacking)}" if lacking else None


def _each(queues: Sequence[str], counts: list[int]) -> str:
    return ", ".join(f"{count} in {queue}" for queue, count in zip(queues, counts, strict=True))
