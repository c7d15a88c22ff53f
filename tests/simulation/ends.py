"""What must hold once a run has come to rest: every request has ended, once, and as it should."""

from dataclasses import dataclass
from typing import Any

import orjson

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import OnBreak
from fleet_worker.conversations.store import conversations_of
from simulation.caller import TENANT, Caller
from simulation.joining import LONGEST_S, MOST_ATTEMPTS, NAMESPACE
from simulation.judge import Judge
from simulation.reading import shown_wrong
from simulation.scenario import TALK, Fault
from simulation.upstream import TURNS_AWAY, Fate, UpstreamCall

MOST_STEPS_A_SECOND = 300
"""Of the whole run, on its own clock: three times what the busiest of a thousand seeds takes."""
LATE_S = 1.5
"""How much longer than its deadline a call may be in flight: its clock rings a little late."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Looks at what was received in a run that a judge has watched."""

    seen: Judge

    def judge(self) -> None:
        """Look at what was received, once all is at rest."""
        for caller in self.seen.fleet.callers:
            self._answer(caller)
        self._talk()
        steps_a_second = self.seen.world.loop.steps / self.seen.world.loop.time()
        if steps_a_second > MOST_STEPS_A_SECOND:
            self.seen.finds(f"O11: something spins: {steps_a_second:.0f} steps a second")
        for event in self.seen.world.history.events:
            if event.who == "log" and event.about and "StoreUnavailable" not in event.about:
                self.seen.finds(f"logged as an error: {event.what} {event.about}")
        for error in self.seen.world.loop.errors:
            self.seen.finds(f"an error that nobody caught: {error.get('message')} {error.get('exception')!r}")

    def _talk(self) -> None:
        """A conversation has the turns that were answered, each once, and each result its own version."""
        if self.seen.fleet.scenario.forgets:
            return
        turns = self.seen.fleet.store.redis.data.get(
            f"{conversations_of(NAMESPACE)}{{{TENANT}/{TALK}}}:turns".encode(), []
        )
        said = sorted(entry[1:].partition(b"\n")[0].decode() for entry in turns)
        # An owner that was cut off may append its turn after others have ended the request as cancelled.
        cancelled = {
            f"{TENANT}/{one.ask.cid}~0" for one in self.seen.fleet.callers if one.ask.cancel_at_s is not None
        }
        versions: dict[str, int] = {}
        for cid, finals in self.seen.finals.items():
            body = orjson.loads(finals[-1][1].body)
            if body.get("conversation"):
                versions[cid] = body["conversation"]["version"]
        answered = {f"{TENANT}/{cid}~0" for cid in versions}
        if not (len(said) == len(set(said)) and answered <= set(said) <= answered | cancelled):
            self.seen.finds(
                f"the conversation has the turns {said}, results were sent for {sorted(versions)}"
            )
        if len(set(versions.values())) != len(versions):
            self.seen.finds(f"the versions of the conversation's results are {versions}")

    def _answer(self, caller: Caller) -> None:
        ask, finals = caller.ask, self.seen.finals.get(caller.ask.cid, [])
        if not finals:
            self.seen.finds(f"O1: {ask.cid} has no terminal reply")
            return
        body = orjson.loads(finals[-1][1].body)
        gone = ask.reply_to is not None and ask.reply_to not in self.seen.fleet.broker.queues
        came = gone or ask.reply_to in {None, *(queue for queue, _ in finals)}
        if not came and not self._refused_for_long():
            self.seen.finds(f"O1: the terminal reply of {ask.cid} never came to its own queue")
        self._outcome(caller, body)
        if any(queue == ask.reply_to for queue, _ in finals) and ask.reply_to and not gone:
            received = list(self.seen.fleet.broker.queues[ask.reply_to].ready)
            for wrong in shown_wrong(ask.cid, received):
                self.seen.finds(f"O3: {ask.cid}: {wrong}")

    def _refused_for_long(self) -> bool:
        """Whether a caller's queue may have refused for 30 s: then the results alone have the reply."""
        return self.seen.fleet.scenario.has(Fault.REPLY_QUEUE_FULL, Fault.CUT_PUBLISHERS, Fault.ISOLATE)

    def _outcome(self, caller: Caller, body: dict[str, Any]) -> None:
        ask, scenario = caller.ask, self.seen.fleet.scenario
        if body["kind"] == "failure":
            self._failure(caller, body["code"])
        else:
            text = body["response"]["choices"][0]["message"]["content"]
            self._text(ask.cid, text, glued=ask.on_break is OnBreak.CONTINUE)
            if body["degraded"] and not scenario.troubles:
                self.seen.finds(f"{ask.cid} is degraded, and nothing was wrong")
        calls = [call for call in self.seen.fleet.upstream.calls if call.cid == ask.cid]
        for call in calls:
            self._deadline(caller, call)
        taken_on = [call for call in calls if call.fate not in TURNS_AWAY]
        # Whoever takes a request over from a worker that is gone may begin one more.
        most = MOST_ATTEMPTS + sum(map(self._was_given_up, taken_on))
        if len(taken_on) > most and not scenario.forgets:
            self.seen.finds(f"{len(taken_on)} calls for {ask.cid}, {most} are allowed")

    def _was_given_up(self, call: UpstreamCall) -> bool:
        """Whether its worker broke a call off that went well, or could not be relied on meanwhile."""
        broken_off = call.ended == "left" and call.fate is not Fate.SILENT
        return broken_off or self.seen.fleet.was_unsteady(
            call.process.name, call.began, call.over_at or call.began
        )

    def _failure(self, caller: Caller, code: str) -> None:
        scenario, ask = self.seen.fleet.scenario, caller.ask
        if code == ErrorCode.INTERNAL:
            self.seen.finds(f"a bug: {ask.cid} ended as internal")
        if code == ErrorCode.CRASH_LOOP and not scenario.troubles:
            self.seen.finds(f"{ask.cid} ended as crash_loop, and nothing was wrong")
        if code == ErrorCode.CANCELLED and ask.cancel_at_s is None:
            self.seen.finds(f"{ask.cid} ended as cancelled, and nobody cancelled it")
        bounded = ask.within_s is not None or ask.expires_s is not None
        may_take_longer = self.seen.world.loop.time() < LONGEST_S
        if code == ErrorCode.DEADLINE_EXCEEDED and may_take_longer and not (bounded or scenario.troubles):
            self.seen.finds(f"{ask.cid} ended by a deadline that it has not")

    def _text(self, cid: str, text: str, *, glued: bool) -> None:
        words = [word.split(".") for word in text.split()]
        calls = list(dict.fromkeys(call for call, _ in words))
        if len(calls) > 1 and not glued:
            self.seen.finds(f"O4: the result of {cid} glues {len(calls)} answers")
        for call in calls:
            places = [int(at) for number, at in words if number == call]
            if places != list(range(len(places))):
                self.seen.finds(f"O4: the result of {cid} has the words {places} of call {call}")

    def _deadline(self, caller: Caller, call: UpstreamCall) -> None:
        ask = caller.ask
        if (
            ask.within_s is None
            or call.cid != ask.cid
            or self.seen.fleet.scenario.has(Fault.CLOCK_JUMP, Fault.FREEZE)
        ):
            return
        if call.began > ask.at_s + ask.within_s + 0.001:
            self.seen.finds(f"call {call.number} of {ask.cid} began after its deadline")
        if call.over_at is not None and call.over_at > ask.at_s + ask.within_s + LATE_S:
            self.seen.finds(f"call {call.number} of {ask.cid} went on after its deadline")
