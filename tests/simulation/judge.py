"""What must hold while a run lasts: each thing that does not is one sentence."""

from dataclasses import dataclass, field

from fleet_contracts.topology import CONTROL_CANCELS, DEAD, DEAD_RAW, RETRY
from simulation.broker import RESULTS_HEARD, Message
from simulation.caller import TENANT
from simulation.door import Delivered
from simulation.fleet import Fleet
from simulation.joining import NAMESPACE
from simulation.scenario import FORGETFUL, Fault
from simulation.upstream import Fate, UpstreamCall
from simulation.worker import SimulatedWorker
from simulation.world import World

TERMINAL = frozenset({"result.v1", "failure.v1"})
ON_ITS_WAY_S = 1.5
"""How old an answer of the store may be when it comes: what happened since then is not in it."""


@dataclass(eq=False, slots=True)
class Judge:
    """Watches a run, and keeps what is found wrong in it, then and at its end."""

    world: World
    wrong: list[str] = field(default_factory=list[str])
    fleet: Fleet = field(init=False)
    finals: dict[str, list[tuple[str, Message]]] = field(default_factory=dict[str, list[tuple[str, Message]]])
    """By correlation ID: where each terminal reply came, and what it was."""
    _forgotten: set[str] = field(default_factory=set[str])
    _chunks: dict[str, int] = field(default_factory=dict[str, int])
    _attempts: dict[str, int] = field(default_factory=dict[str, int])
    _last_run: dict[str, str] = field(default_factory=dict[str, str])
    """By queue and request: of which run the text is that its reader has seen last."""
    _cancelled_at: dict[str, float] = field(default_factory=dict[str, float])

    def finds(self, what: str) -> None:
        """Something is wrong."""
        if not self.world.over:
            self.world.note("judge", "FINDS", what)
            self.wrong.append(what)

    def taken(self, queue: str, message: Message) -> None:
        """A message was put into a queue."""
        kind = message.type or ""
        if queue == RESULTS_HEARD or queue.startswith("deepseek.reply."):
            self._reply(queue, message, kind)

    def began(self, call: UpstreamCall) -> None:
        """A call begins."""
        record = self.fleet.store.redis.data.get(
            f"{NAMESPACE}:request:{{{TENANT}/{call.cid}~0}}".encode(), {}
        )
        unsteady = self.fleet.was_unsteady(call.process.name, call.began - 1, call.began)
        if b"digest" in record and not unsteady:
            self.finds(f"O7: a call for {call.cid}, which has ended")
        limit = self.fleet.scenario.limit
        if len(self.fleet.upstream.in_flight) > limit and not self._limit_is_void():
            self.finds(f"O6: {len(self.fleet.upstream.in_flight)} calls in flight, {limit} are allowed")
        self._again(call)
        cancelled_at = self._cancelled_at.get(call.cid)
        if cancelled_at is None or call.began <= cancelled_at + ON_ITS_WAY_S:
            return
        if not unsteady and not self.fleet.scenario.forgets:
            self.finds(f"a call for {call.cid}, whose cancel was acknowledged at {cancelled_at:.2f} s")

    def acked(self, worker: SimulatedWorker, delivered: Delivered) -> None:
        """A worker acknowledges a delivery."""
        cid, queue = delivered.message.correlation_id, delivered.consumer.queue
        if queue == CONTROL_CANCELS:
            self._cancelled_at.setdefault(cid or "", self.world.loop.time())
            return
        if not any(one.correlation_id == cid and _settles(one) for one in worker.confirmed):
            self.finds(
                f"O12: {worker.name} acknowledges {cid} from {queue} before anything of it is confirmed"
            )

    def _reply(self, queue: str, message: Message, kind: str) -> None:
        self.world.note(
            "reply", f"{kind} in {queue.rpartition('.')[2]}", f"{message.headers.get('fleet-id')}"
        )
        cid = message.correlation_id or ""
        if kind in TERMINAL and not str(message.headers["fleet-id"]).startswith(f"{cid}:refused"):
            self._terminal(queue, message, cid)
        if kind == "chunk.v1":
            self._chunk(queue, message)
        elif kind == "restarted.v1":
            # What came is void: whatever text comes next is no surprise.
            self._last_run.pop(f"{queue} {cid}", None)
        self._attempt(queue, message, cid)

    def _terminal(self, queue: str, message: Message, cid: str) -> None:
        known = self.finals.setdefault(cid, [])
        if known and known[-1][1].body != message.body and not self.fleet.scenario.forgets:
            self.finds(f"O2: {cid} has two terminal replies")
        known.append((queue, message))

    def _chunk(self, queue: str, message: Message) -> None:
        run = f"{queue} {str(message.headers['fleet-id']).rpartition(':')[0]}"
        expected, seq = self._chunks.get(run, -1) + 1, int(message.headers["fleet-seq"])
        if seq != expected:
            self.finds(f"O4: chunk {seq} of {run} comes where {expected} should")
        self._chunks[run] = seq
        where = f"{queue} {message.correlation_id}"
        if int(message.headers["fleet-attempt"]) < self._attempts.get(where, 0):
            return  # readers drop it; whether it may come at all is asked below
        if self._last_run.get(where, run) != run and not self.fleet.scenario.forgets:
            self.finds(f"O4: text of {run} follows other text, and nobody said that it would")
        self._last_run[where] = run

    def _attempt(self, queue: str, message: Message, cid: str) -> None:
        attempt = int(message.headers.get("fleet-attempt", 0))
        if not attempt or message.type in TERMINAL:
            return
        where = f"{queue} {cid}"
        if attempt < self._attempts.get(where, 0) and not self._owner_may_be_late():
            self.finds(f"O5: attempt {attempt} of {cid} after attempt {self._attempts[where]}")
        self._attempts[where] = max(attempt, self._attempts.get(where, 0))

    def _again(self, call: UpstreamCall) -> None:
        before = [one for one in self.fleet.upstream.calls if one.cid == call.cid and one is not call]
        if not before:
            return
        last = before[-1]
        broke = last.ended == "failed" or last.fate is Fate.SILENT
        excused = broke or self.fleet.was_unsteady(last.process.name, last.began, call.began)
        if not excused and not self.fleet.scenario.forgets:
            how = last.ended or "in flight"
            self.finds(f"O7: call {call.number} repeats call {last.number} of {call.cid}, which was {how}")

    def _limit_is_void(self) -> bool:
        """Where the limiter says itself that calls may be too many: it forgot, or a worker was cut off."""
        return self._has_had(*FORGETFUL, Fault.CUT_STORE, Fault.FREEZE, Fault.STORE_RESTART, Fault.ISOLATE)

    def _owner_may_be_late(self) -> bool:
        """A worker that was stopped or cut off may have said something before it learned that it is late."""
        cut = (Fault.CUT_DOOR, Fault.CUT_PUBLISHERS, Fault.CUT_STORE, Fault.ISOLATE)
        return self._has_had(*FORGETFUL, *cut, Fault.FREEZE, Fault.STORE_RESTART)

    def _has_had(self, *faults: Fault) -> bool:
        return self.fleet.scenario.has_had(self.world.loop.time(), *faults)


def _settles(message: Message) -> bool:
    """Whether a message is a reason to acknowledge the delivery of its request."""
    return (
        message.type in TERMINAL
        or message.exchange.startswith(f"{RETRY}.")
        or message.exchange == DEAD
        or message.routing_key == DEAD_RAW
    )
