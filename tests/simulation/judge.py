"""What must hold in every run: each thing that does not is one sentence."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import OnBreak
from fleet_contracts.topology import CONTROL_CANCELS, DEAD, DEAD_RAW, REQUESTS_DEAD, RETRY
from fleet_worker.conversations.store import conversations_of
from simulation.broker import RESULTS_HEARD, Message
from simulation.caller import TENANT, Caller
from simulation.door import Delivered
from simulation.fleet import Fleet
from simulation.joining import LONGEST_S, MOST_ATTEMPTS, NAMESPACE
from simulation.reading import shown_wrong
from simulation.scenario import FORGETFUL, TALK, Fault
from simulation.upstream import TURNS_AWAY, Fate, UpstreamCall
from simulation.worker import SimulatedWorker
from simulation.world import World

TERMINAL = frozenset({"result.v1", "failure.v1"})
ON_ITS_WAY_S = 1.5
"""How old an answer of the store may be when it comes: what happened since then is not in it."""
MOST_STEPS_A_SECOND = 300
"""Of the whole run, on its own clock: three times what the busiest of a thousand seeds takes."""
LATE_S = 1.5
"""How much longer than its deadline a call may be in flight: its clock rings a little late."""


@dataclass(eq=False, slots=True)
class Judge:
    """Watches a run, and judges it when it has come to rest."""

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

    # ---------------------------------------------------------------- while it runs
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

    def _leases(self) -> list[str]:
        """Claims and permits that the store still counts."""
        found: Counter[str] = Counter()
        # A record from before the end of its request harms nobody once its lease is over.
        since = self.world.now_ms() if self.fleet.scenario.forgets else 0
        for key, value in self.fleet.store.redis.data.items():
            if key.startswith(f"{NAMESPACE}:request:".encode()) and isinstance(value, dict):
                known = cast("dict[bytes, bytes]", value)
                found["owned records"] += bool(known.get(b"owner")) and int(known[b"lease"]) > since
            elif key.endswith((b":held", b":tickets")):
                found[key.decode()] += len(value)
        return [f"{what}: {count}" for what, count in found.items() if count]

    # ---------------------------------------------------------------- at the end
    def rest(self) -> list[str]:
        """What is still to be done before the run may end; nothing once it has come to rest."""
        fleet, broker = self.fleet, self.fleet.broker
        left: list[str] = []
        if not fleet.well:
            left.append("a worker is not well")
        if any(caller.still_asks for caller in fleet.callers):
            left.append("a caller still asks")
        waiting = {name: len(queue.ready) for name, queue in broker.queues.items() if queue.ready}
        waiting = {
            name: n for name, n in waiting.items() if name not in _READ_BY_NOBODY and not _is_reply(name)
        }
        if waiting or broker.unacked() or broker.in_rungs:
            left.append(
                f"O8: in queues {waiting}, unacknowledged {broker.unacked()}, parked {broker.in_rungs}"
            )
        left += [f"O8: {what}" for worker in fleet.slots for what in leftovers(worker)]
        left += [f"O8: in the store {what}" for what in self._leases()]
        if fleet.upstream.in_flight:
            left.append(f"O8: {len(fleet.upstream.in_flight)} calls in flight")
        return left

    def judge(self) -> None:
        """Look at what was received, once all is at rest."""
        for caller in self.fleet.callers:
            self._judge_answer(caller)
        self._judge_talk()
        if self.world.loop.steps > MOST_STEPS_A_SECOND * self.world.loop.time():
            self.finds(
                f"O11: something spins: {self.world.loop.steps / self.world.loop.time():.0f} steps a second"
            )
        for event in self.world.history.events:
            if event.who == "log" and event.about and "StoreUnavailable" not in event.about:
                self.finds(f"logged as an error: {event.what} {event.about}")
        for error in self.world.loop.errors:
            self.finds(f"an error that nobody caught: {error.get('message')} {error.get('exception')!r}")

    def _judge_talk(self) -> None:
        """A conversation has the turns that were answered, each once, and each result its own version."""
        if self.fleet.scenario.forgets:
            return
        turns = self.fleet.store.redis.data.get(
            f"{conversations_of(NAMESPACE)}{{{TENANT}/{TALK}}}:turns".encode(), []
        )
        said = sorted(entry[1:].partition(b"\n")[0].decode() for entry in turns)
        # An owner that was cut off may append its turn after others have ended the request as cancelled.
        cancelled = {
            f"{TENANT}/{one.ask.cid}~0" for one in self.fleet.callers if one.ask.cancel_at_s is not None
        }
        versions: dict[str, int] = {}
        for cid, finals in self.finals.items():
            body = orjson.loads(finals[-1][1].body)
            if body.get("conversation"):
                versions[cid] = body["conversation"]["version"]
        answered = {f"{TENANT}/{cid}~0" for cid in versions}
        if not (len(said) == len(set(said)) and answered <= set(said) <= answered | cancelled):
            self.finds(f"the conversation has the turns {said}, and results were sent for {sorted(versions)}")
        if len(set(versions.values())) != len(versions):
            self.finds(f"the versions of the conversation's results are {versions}")

    def _judge_answer(self, caller: Caller) -> None:
        ask, finals = caller.ask, self.finals.get(caller.ask.cid, [])
        if not finals:
            self.finds(f"O1: {ask.cid} has no terminal reply")
            return
        body = orjson.loads(finals[-1][1].body)
        gone = ask.reply_to is not None and ask.reply_to not in self.fleet.broker.queues
        came = gone or ask.reply_to in {None, *(queue for queue, _ in finals)}
        if not came and not self._refused_for_long():
            self.finds(f"O1: the terminal reply of {ask.cid} never came to its own queue")
        self._judge_outcome(caller, body)
        if any(queue == ask.reply_to for queue, _ in finals) and ask.reply_to and not gone:
            received = list(self.fleet.broker.queues[ask.reply_to].ready)
            for wrong in shown_wrong(ask.cid, received):
                self.finds(f"O3: {ask.cid}: {wrong}")

    def _refused_for_long(self) -> bool:
        """Whether a caller's queue may have refused for 30 s: then the results alone have the reply."""
        return self.fleet.scenario.has(Fault.REPLY_QUEUE_FULL, Fault.CUT_PUBLISHERS, Fault.ISOLATE)

    def _judge_outcome(self, caller: Caller, body: dict[str, Any]) -> None:
        ask, scenario = caller.ask, self.fleet.scenario
        if body["kind"] == "failure":
            self._judge_failure(caller, body["code"])
        else:
            text = body["response"]["choices"][0]["message"]["content"]
            self._judge_text(ask.cid, text, glued=ask.on_break is OnBreak.CONTINUE)
            if body["degraded"] and not scenario.troubles:
                self.finds(f"{ask.cid} is degraded, and nothing was wrong")
        calls = [call for call in self.fleet.upstream.calls if call.cid == ask.cid]
        for call in calls:
            self._judge_deadline(caller, call)
        taken_on = [call for call in calls if call.fate not in TURNS_AWAY]
        # Whoever takes a request over from a worker that is gone may begin one more.
        most = MOST_ATTEMPTS + sum(map(self._was_given_up, taken_on))
        if len(taken_on) > most and not scenario.forgets:
            self.finds(f"{len(taken_on)} calls for {ask.cid}, {most} are allowed")

    def _was_given_up(self, call: UpstreamCall) -> bool:
        """Whether its worker broke a call off that went well, or could not be relied on meanwhile."""
        broken_off = call.ended == "left" and call.fate is not Fate.SILENT
        return broken_off or self.fleet.was_unsteady(
            call.process.name, call.began, call.over_at or call.began
        )

    def _judge_failure(self, caller: Caller, code: str) -> None:
        scenario, ask = self.fleet.scenario, caller.ask
        if code == ErrorCode.INTERNAL:
            self.finds(f"a bug: {ask.cid} ended as internal")
        if code == ErrorCode.CRASH_LOOP and not scenario.troubles:
            self.finds(f"{ask.cid} ended as crash_loop, and nothing was wrong")
        if code == ErrorCode.CANCELLED and ask.cancel_at_s is None:
            self.finds(f"{ask.cid} ended as cancelled, and nobody cancelled it")
        bounded = ask.within_s is not None or ask.expires_s is not None
        may_take_longer = self.world.loop.time() < LONGEST_S
        if code == ErrorCode.DEADLINE_EXCEEDED and may_take_longer and not (bounded or scenario.troubles):
            self.finds(f"{ask.cid} ended by a deadline that it has not")

    def _judge_text(self, cid: str, text: str, *, glued: bool) -> None:
        words = [word.split(".") for word in text.split()]
        calls = list(dict.fromkeys(call for call, _ in words))
        if len(calls) > 1 and not glued:
            self.finds(f"O4: the result of {cid} glues {len(calls)} answers")
        for call in calls:
            places = [int(at) for number, at in words if number == call]
            if places != list(range(len(places))):
                self.finds(f"O4: the result of {cid} has the words {places} of call {call}")

    def _judge_deadline(self, caller: Caller, call: UpstreamCall) -> None:
        ask = caller.ask
        if (
            ask.within_s is None
            or call.cid != ask.cid
            or self.fleet.scenario.has(Fault.CLOCK_JUMP, Fault.FREEZE)
        ):
            return
        if call.began > ask.at_s + ask.within_s + 0.001:
            self.finds(f"call {call.number} of {ask.cid} began after its deadline")
        if call.over_at is not None and call.over_at > ask.at_s + ask.within_s + LATE_S:
            self.finds(f"call {call.number} of {ask.cid} went on after its deadline")


_READ_BY_NOBODY = frozenset({RESULTS_HEARD, REQUESTS_DEAD})


def _is_reply(name: str) -> bool:
    return name.startswith("deepseek.reply.")


def _settles(message: Message) -> bool:
    """Whether a message is a reason to acknowledge the delivery of its request."""
    return (
        message.type in TERMINAL
        or message.exchange.startswith(f"{RETRY}.")
        or message.exchange == DEAD
        or message.routing_key == DEAD_RAW
    )


def leftovers(worker: SimulatedWorker) -> list[str]:
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
