"""Workers, a broker and a store as a state machine around the ledger's own rules.

The steps are those of the handler and the door: take, claim, commit, publish, acknowledge.
Between any two of them a worker may be killed, lose its connection, or lose its lease while it lives.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from fleet_contracts.grammar import Lane
from fleet_worker.hold import Facts
from fleet_worker.ledger import rules
from fleet_worker.ledger.answers import Ended, Stored, Taken
from fleet_worker.ledger.record import Claimant, Head, Holder, Record

FACTS = Facts(None, "m", Lane.INTERACTIVE, stream=False)
IDENTITY = "x"
NOBODY, GONE = -1, -2
LEASE_MS = 1
IDLE, CLAIM, COMMIT, PUBLISH, ACK = range(5)


class Ledger(NamedTuple):
    """The record as far as it decides anything; a terminal reply is named by the fence that earned it."""

    owner: int = NOBODY
    fence: int = 0
    live: bool = False
    ended: int = 0


class Worker(NamedTuple):
    """Where a worker is in its story, what it holds, and what it is about to publish."""

    at: int = IDLE
    delivery: bool = False
    fence: int = 0
    reply: int = 0


class Luck(NamedTuple):
    """How much may go wrong from here on."""

    crashes: int = 2
    lost_connections: int = 1
    lost_leases: int = 1
    more_publishes: int = 1
    flushes: int = 0


class State(NamedTuple):
    """Everything there is. `published` is the one terminal reply that a caller has seen."""

    luck: Luck
    workers: tuple[Worker, ...]
    queued: int = 1
    ledger: Ledger = Ledger()
    published: int = 0
    second: bool = False


Commit = Callable[[Record, Holder, Head, bytes], tuple[Record, Any]]


class Protocol:
    """The order of the steps. The mutants that must fail change one thing each."""

    def __init__(
        self, order: tuple[int, ...] = (CLAIM, COMMIT, PUBLISH, ACK), commit: Commit = rules.commit
    ) -> None:
        self._next = dict(zip(order, (*order[1:], IDLE), strict=True))
        self._commit = cache(self._commit_uncached)
        self._rule = commit

    def successors(self, state: State) -> Iterator[tuple[str, State]]:
        """Every step that is possible, in every order."""
        for place, worker in enumerate(state.workers):
            yield from self._work(state, place, worker)
            yield from _trouble(state, place, worker)
        yield from _surroundings(state)

    def _work(self, state: State, place: int, worker: Worker) -> Iterator[tuple[str, State]]:
        if worker.at == IDLE:
            if state.queued:
                taken = state._replace(queued=state.queued - 1)
                yield f"{place} takes", _with(taken, place, Worker(CLAIM, delivery=True))
        elif worker.at == CLAIM:
            yield f"{place} claims", self._claimed(state, place, worker)
        elif worker.at == COMMIT:
            yield f"{place} commits", self._committed(state, place, worker)
        elif worker.at == PUBLISH:
            reply = worker.reply or worker.fence
            second = state.second or state.published not in {0, reply}
            told = state._replace(published=reply, second=second)
            yield (
                f"{place} publishes",
                _with(told, place, worker._replace(at=self._next[PUBLISH], reply=reply)),
            )
        else:
            rest = worker._replace(at=self._next[ACK], delivery=False)
            yield f"{place} acknowledges", _with(state, place, Worker() if rest.at == IDLE else rest)

    def _claimed(self, state: State, place: int, worker: Worker) -> State:
        ledger, answer = _claim(state.ledger, place, 1 + max(_numbers(state)))
        state = state._replace(ledger=ledger)
        if isinstance(answer, Taken):
            return _with(state, place, worker._replace(at=self._next[CLAIM], fence=answer.fence))
        if isinstance(answer, Ended):
            return _with(state, place, worker._replace(at=PUBLISH, reply=int(answer.head.digest)))
        return _handed_back(state, place, worker)

    def _committed(self, state: State, place: int, worker: Worker) -> State:
        ledger, answer = self._commit(state.ledger, place, worker.fence, worker.delivery)
        state = state._replace(ledger=ledger)
        if isinstance(answer, Stored):
            return _with(state, place, worker._replace(at=self._next[COMMIT], reply=worker.fence))
        if isinstance(answer, Ended):
            return _with(state, place, worker._replace(at=PUBLISH, reply=int(answer.head.digest)))
        return _handed_back(state, place, worker)

    def _commit_uncached(self, ledger: Ledger, place: int, fence: int, delivery: bool) -> tuple[Ledger, Any]:
        holder = Holder(str(place), fence, IDENTITY, FACTS, 0, 0, "", restates=delivery)
        record, answer = self._rule(_record(ledger, 0), holder, _head(fence), b"")
        return _ledger(record, 0), answer


def start(workers: int, luck: Luck) -> State:
    """One request in the queue, and idle workers."""
    return State(luck, (Worker(),) * workers)


def wrong(state: State) -> str:
    """What must never be."""
    return "two different terminal replies" if state.second else ""


def done(state: State) -> bool:
    """The request has ended, its caller knows, and nothing is left to do."""
    return bool(state.published) and not state.queued and all(worker == Worker() for worker in state.workers)


def _trouble(state: State, place: int, worker: Worker) -> Iterator[tuple[str, State]]:
    luck = state.luck
    if worker == Worker():
        return
    back = state._replace(queued=state.queued + worker.delivery)
    if luck.crashes:
        killed = back._replace(luck=luck._replace(crashes=luck.crashes - 1))
        if killed.ledger.owner == place:
            killed = killed._replace(ledger=killed.ledger._replace(owner=GONE))
        yield f"{place} is killed", _with(killed, place, Worker())
    if luck.lost_connections and worker.delivery:
        cut = back._replace(luck=luck._replace(lost_connections=luck.lost_connections - 1))
        yield f"{place} loses its connection", _with(cut, place, worker._replace(delivery=False))


def _surroundings(state: State) -> Iterator[tuple[str, State]]:
    luck, ledger = state.luck, state.ledger
    ended = ledger._replace(live=False)
    if luck.more_publishes:
        left = luck._replace(more_publishes=luck.more_publishes - 1)
        yield "it is published again", state._replace(luck=left, queued=state.queued + 1)
    if ledger.live and ledger.owner == GONE:
        yield "a dead owner's lease ends", _canonical(state._replace(ledger=ended))
    if ledger.live and luck.lost_leases:
        left = luck._replace(lost_leases=luck.lost_leases - 1)
        yield "a living owner's lease ends", _canonical(state._replace(luck=left, ledger=ended))
    if luck.flushes and ledger != Ledger():
        left = luck._replace(flushes=luck.flushes - 1)
        yield "the store forgets", _canonical(state._replace(luck=left, ledger=Ledger()))


def _handed_back(state: State, place: int, worker: Worker) -> State:
    return _with(state._replace(queued=state.queued + worker.delivery), place, Worker())


def _with(state: State, place: int, worker: Worker) -> State:
    workers = (*state.workers[:place], worker, *state.workers[place + 1 :])
    return _canonical(state._replace(workers=workers))


def _canonical(state: State) -> State:
    """The same state with workers in order and fences as small as they can be: their names decide nothing."""
    ledger = state.ledger
    order = sorted(range(len(state.workers)), key=lambda place: (state.workers[place], place != ledger.owner))
    owner = order.index(ledger.owner) if ledger.owner >= 0 else ledger.owner
    workers = [state.workers[place] for place in order]
    rank = {number: place for place, number in enumerate(sorted(_numbers(state)))}
    return state._replace(
        workers=tuple(w._replace(fence=rank[w.fence], reply=rank[w.reply]) for w in workers),
        ledger=Ledger(owner, rank[ledger.fence], ledger.live, rank[ledger.ended]),
        published=rank[state.published],
    )


def _numbers(state: State) -> set[int]:
    """Every fence that anybody remembers."""
    ledger = state.ledger
    own = {number for worker in state.workers for number in (worker.fence, worker.reply)}
    return {0, ledger.fence, ledger.ended, state.published} | own


@cache
def _claim(ledger: Ledger, place: int, now_ms: int) -> tuple[Ledger, Any]:
    # The time of a claim is above every fence that was ever given, as it is in the store.
    record, answer = rules.claim(
        _record(ledger, now_ms), Claimant(str(place), IDENTITY, FACTS), now_ms, LEASE_MS
    )
    return _ledger(record, now_ms), answer


@cache
def _record(ledger: Ledger, now_ms: int) -> Record:
    return Record(
        identity=IDENTITY if ledger != Ledger() else "",
        facts=FACTS,
        owner="" if ledger.owner == NOBODY else str(ledger.owner),
        fence=ledger.fence,
        lease_ends_ms=now_ms + LEASE_MS if ledger.live else 0,
        ended=_head(ledger.ended) if ledger.ended else None,
        body=b"" if ledger.ended else None,
    )


def _ledger(record: Record, now_ms: int) -> Ledger:
    owner = int(record.owner) if record.owner else NOBODY
    ended = int(record.ended.digest) if record.ended else 0
    return Ledger(owner, record.fence, record.lease_ends_ms > now_ms, ended)


def _head(fence: int) -> Head:
    return Head("result", "c:final", 1, "result", str(fence))
