"""Turns the replies of one request, as they come, into what its reader is shown.

Pure: no clock, no socket. Replies may come twice, out of order or not at all, and from attempts that were
given up; what is shown since the last `Restarted` always joins to the answer.
"""

import re
from collections import deque

import fleet_contracts as wire
from fleet_client.answer import Answer, answer_from, is_intact, torn
from fleet_client.errors import FleetError, error_from
from fleet_client.events import (
    CHUNKS_LOST,
    NEW_ATTEMPT,
    Accepted,
    Event,
    Finished,
    History,
    Piece,
    Restarted,
    Waiting,
)
from fleet_client.reading import Received
from fleet_client.shown import Shown, pieces, whole
from fleet_contracts.reply import id_base, refused_id

Item = Event | History | FleetError

_REORDER_WINDOW = 64
_REMEMBERED = 64
_ANOTHER_ASKING = re.compile(r"(~[0-9]+)?:")


class Inbox:
    """The replies of one request.

    Args:
        correlation_id: the request.
        retry: which asking of it: late replies to another one are not for this reader.
        window: how many chunks wait for a missing one before it counts as lost.
    """

    def __init__(self, correlation_id: str, *, retry: int = 0, window: int = _REORDER_WINDOW) -> None:
        self.ended = False
        self._correlation_id = correlation_id
        self._base = id_base(correlation_id, retry)
        self._window = window
        self._refusals: set[str] = set()
        self._seen: deque[str] = deque(maxlen=_REMEMBERED)
        self._left: deque[str] = deque(maxlen=_REMEMBERED)
        self._attempt = 0
        self._run: str | None = None
        self._begin(0, None)

    def published(self, message_id: str) -> None:
        """Count a refusal of this publish as the request's end."""
        self._refusals.add(refused_id(self._base, message_id))

    def skip(self) -> None:
        """Show no more chunks of this attempt: its reader is too slow. The result brings what is missing."""
        self._broken = True
        self._early.clear()

    def take(self, received: Received) -> list[Item]:
        """What to show now. An error or `Finished` is the last thing, and comes once."""
        return [] if self.ended or self._is_of_another_asking(received.reply.id) else self._take(received)

    def _take(self, received: Received) -> list[Item]:
        match received.reply:
            case wire.Chunk() as chunk:
                return self._take_chunk(chunk)
            case wire.Restarted() as restarted:
                return self._take_restarted(restarted)
            case wire.Result() as result:
                return self._end(
                    self._take_result(result, answer_from(result, received.response, self._correlation_id))
                )
            case wire.Failure() | wire.History() as end:
                return self._take_end(end)
            case wire.Accepted(id=id_, attempt=attempt, queued_ms=queued_ms, worker=worker):
                return [Accepted(attempt, queued_ms, worker)] if self._is_new(id_) else []
            case wire.Waiting(id=id_, position=position, estimate_ms=estimate_ms):
                return [Waiting(position, estimate_ms)] if self._is_new(id_) else []

    def _take_chunk(self, chunk: wire.Chunk) -> list[Item]:
        run = _run_of(chunk.id)
        if self._is_left(run, chunk.attempt):
            return []
        restarted = self._follow(run, chunk.attempt)
        if not self._broken and chunk.seq >= self._next_seq:
            self._early.setdefault(chunk.seq, chunk)
        return [*restarted, *self._show_what_is_next()]

    def _take_restarted(self, restarted: wire.Restarted) -> list[Item]:
        run = _run_of(restarted.id)
        if run == self._run or self._is_left(run, restarted.attempt):
            return []
        self._begin(restarted.attempt, run)
        return [Restarted(restarted.attempt, restarted.reason)]

    def _take_result(self, result: wire.Result, answer: Answer) -> list[Item]:
        if not is_intact(result.digests, answer):
            return [torn(answer)]
        same_attempt = result.attempt == self._attempt or not self._shown
        lacking = self._shown.lacking(answer) if same_attempt else None
        if lacking is None:
            return [Restarted(result.attempt, CHUNKS_LOST), *whole(answer), Finished(answer)]
        return [*lacking, Finished(answer)]

    def _take_end(self, end: wire.Failure | wire.History) -> list[Item]:
        if isinstance(end, wire.Failure):
            return self._take_failure(end)
        return self._end([History(end.conversation.id, end.conversation.version, end.messages)])

    def _take_failure(self, failure: wire.Failure) -> list[Item]:
        is_refusal = failure.id.startswith(refused_id(self._base, ""))
        if is_refusal and failure.id not in self._refusals:
            return []
        return self._end([error_from(failure, self._correlation_id)])

    def _end(self, items: list[Item]) -> list[Item]:
        self.ended = True
        self._early.clear()
        return items

    def _is_left(self, run: str, attempt: int) -> bool:
        return run != self._run and (run in self._left or attempt < self._attempt)

    def _follow(self, run: str, attempt: int) -> list[Event]:
        if run == self._run:
            return []
        had_shown = bool(self._shown)
        self._begin(attempt, run)
        return [Restarted(attempt, NEW_ATTEMPT)] if had_shown else []

    def _begin(self, attempt: int, run: str | None) -> None:
        if self._run is not None:
            self._left.append(self._run)
        self._attempt = attempt
        self._run = run
        self._next_seq = 0
        self._early: dict[int, wire.Chunk] = {}
        self._broken = False
        self._shown = Shown()

    def _show_what_is_next(self) -> list[Piece]:
        found: list[Piece] = []
        while chunk := self._early.pop(self._next_seq, None):
            found += pieces(chunk.delta)
            self._next_seq += 1
        if len(self._early) > self._window:
            self.skip()
        for piece in found:
            self._shown.add(piece)
        return found

    def _is_of_another_asking(self, fleet_id: str) -> bool:
        # Replies of all askings under one correlation ID come to one queue; their ids tell them apart.
        if fleet_id.startswith(f"{self._base}:"):
            return False
        rest = fleet_id.removeprefix(self._correlation_id)
        return rest != fleet_id and _ANOTHER_ASKING.match(rest) is not None

    def _is_new(self, fleet_id: str) -> bool:
        if fleet_id in self._seen:
            return False
        self._seen.append(fleet_id)
        return True


def _run_of(fleet_id: str) -> str:
    # `<correlation id>:<run>:<attempt>:<seq>`; the correlation ID may hold colons of its own.
    parts = fleet_id.rsplit(":", 3)
    return parts[1] if len(parts) == 4 else fleet_id  # noqa: PLR2004 -- the four parts above
