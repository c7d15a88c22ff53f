"""Publishes without waiting for one another: written together, matched with the broker's word by number."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from fleet_worker.replies.answers import Answer, Confirmed, Returned
from fleet_worker.replies.frames import publication
from fleet_worker.replies.outgoing import Compose, Ended, NotConfirmedError, Outgoing, not_composed
from fleet_worker.replies.posting import Failed, Post, verdict

CONFIRM_TIMEOUT_S = 10.0
SILENT_S = 20.0
"""A line that has answered nothing for so long is given up: with time left to send a terminal reply again,
which is tried for 30 s."""
MAX_UNCONFIRMED = 4096
"""More wait here, where what belongs to one reader is still joined."""
MAX_WRITE_BYTES = 256 * 1024


class Line(Protocol):
    """An open channel."""

    channel: int
    frame_max: int

    def write(self, frames: bytes) -> None:
        """Hand whole frames to the socket; never waits."""
        ...

    def give_up(self) -> None:
        """Break it; another one is opened."""
        ...


class Pipeline:
    """Everything that is ready in one turn of the event loop leaves in one write, in order.

    What has not left waits while there is no line, the line is held, or too much is unconfirmed. There is one
    timer for all, and no task.

    Args:
        new_word: A random word for each line: message ids are made of it and the number of the publish.
    """

    def __init__(self, new_word: Callable[[], str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._new_word = new_word
        self._waiting: deque[Post] = deque()
        self._unconfirmed: dict[int, Post] = {}
        self._line: Line | None = None
        self._word = b""
        self._tag = 0
        self._oldest = 1
        self._held = False
        self._owes_since: float | None = None
        """Since when the line owes an answer and has given none."""
        self._flushing = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def post(self, compose: Compose, ended: Ended) -> Post:
        """Publish soon. `compose` is called when the message leaves, `ended` when its end is known."""
        post = Post(compose, ended, self._loop.time() + CONFIRM_TIMEOUT_S)
        if self._closed:
            self._loop.call_soon(post.end, NotConfirmedError("the publisher is closed"))
            return post
        self._waiting.append(post)
        if self._timer is None:
            self._timer = self._loop.call_at(post.due, self._expire)
        self._flush_soon()
        return post

    async def publish(self, message: Outgoing) -> None:
        """Publish and have it confirmed; raises as `Publishes` says."""
        end: asyncio.Future[Failed | None] = self._loop.create_future()
        post = self.post(lambda: message, lambda error: None if end.done() else end.set_result(error))
        try:
            error = await end
        finally:
            post.withdraw()
        if error is not None:
            raise error

    def open(self, line: Line, *, held: bool = False) -> None:
        """Go on over a channel on which nothing was published yet."""
        self.lost(self._line)
        self._line, self._held = line, held
        self._word = self._new_word().encode()
        self._tag, self._oldest = 0, 1
        self._flush_soon()

    def lost(self, line: Line | None) -> None:
        """This channel is gone: what it has not confirmed may or may not be in a queue."""
        if line is not self._line:
            return
        self._line = self._owes_since = None
        lost, self._unconfirmed = self._unconfirmed, {}
        self._end(lost.values(), NotConfirmedError("the connection to the broker was lost"))

    def hold(self, line: Line, *, held: bool) -> None:
        """This channel takes no more, or takes some again."""
        if line is self._line:
            self._held = held
            # A broker that takes nothing reads nothing, and owes no answer to what it has not read.
            self._owes_since = None if held or not self._unconfirmed else self._loop.time()
            self._flush_soon()

    def hear(self, answers: Iterable[Answer]) -> None:
        """Take the broker's answers, in their order."""
        unconfirmed = self._unconfirmed
        for answer in answers:
            if type(answer) is int:
                if (post := unconfirmed.pop(answer, None)) is not None:
                    post.end(verdict(post, taken=True) if post.returned else None)
            elif type(answer) is Confirmed:
                self._confirm(answer)
            elif type(answer) is Returned:
                self._mark_returned(answer.message_id)
            else:
                self.lost(self._line)
                unconfirmed = self._unconfirmed
        self._flush_soon()
        self._owes_since = self._loop.time() if self._unconfirmed and not self._held else None

    def close(self) -> None:
        """Publish nothing more; whatever has not ended has failed."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self.lost(self._line)
        waiting, self._waiting = self._waiting, deque()
        self._end(waiting, NotConfirmedError("the publisher is closed"))

    def _flush_soon(self) -> None:
        if not self._flushing and self._waiting:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        while (line := self._line) is not None and self._waiting and not self._held:
            if not (frames := self._next_frames(line)):
                return
            line.write(frames)

    def _next_frames(self, line: Line) -> bytes:
        frames: list[bytes] = []
        size = 0
        while self._waiting and size < MAX_WRITE_BYTES and len(self._unconfirmed) < MAX_UNCONFIRMED:
            post = self._waiting.popleft()
            if post.ended is None:
                continue
            tag = self._tag + 1
            try:
                message, message_id = post.compose(), b"%b%016x" % (self._word, tag)
                if isinstance(message, Outgoing):
                    frame = publication(message, message_id, line.channel, line.frame_max)
                else:
                    frame = message.publication(message_id, line.channel, line.frame_max)
            except ValueError as error:
                post.end(NotConfirmedError(str(error)))
                continue
            except Exception as bug:  # noqa: BLE001 - one sender's bug must not reach the others
                post.end(not_composed(bug))
                continue
            self._tag = tag
            self._unconfirmed[tag] = post
            frames.append(frame)
            size += len(frame)
        if frames and self._owes_since is None:
            self._owes_since = self._loop.time()
        return b"".join(frames)

    def _confirm(self, answer: Confirmed) -> None:
        if not answer.multiple:
            if (post := self._unconfirmed.pop(answer.tag, None)) is not None:
                post.end(verdict(post, taken=answer.taken))
        else:
            # Tag 0 means all that were published.
            last = answer.tag or self._tag
            for tag in range(self._oldest, last + 1):
                if (post := self._unconfirmed.pop(tag, None)) is not None:
                    post.end(verdict(post, taken=answer.taken))
            self._oldest = max(self._oldest, last + 1)

    def _mark_returned(self, message_id: str) -> None:
        word, number = message_id[:-16], message_id[-16:]
        if word.encode() == self._word and (post := self._unconfirmed.get(int(number, 16))) is not None:
            post.returned = True

    def _expire(self) -> None:
        now = self._loop.time()
        late = NotConfirmedError(f"no confirm from the broker within {CONFIRM_TIMEOUT_S:.0f} s")
        for tag in [tag for tag, post in self._unconfirmed.items() if post.due <= now]:
            self._unconfirmed.pop(tag).end(late)
        if self._owes_since is not None and now - self._owes_since >= SILENT_S:
            self._give_up()
        while self._waiting and self._waiting[0].due <= now:
            self._waiting.popleft().end(late)
        first = next(iter(self._unconfirmed.values()), None) or next(iter(self._waiting), None)
        self._timer = None if first is None else self._loop.call_at(first.due, self._expire)

    def _give_up(self) -> None:
        line = self._line
        self.lost(line)
        if line is not None:
            line.give_up()

    def _end(self, posts: Iterable[Post], error: Failed) -> None:
        for post in posts:
            post.end(error)
