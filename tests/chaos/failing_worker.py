"""A worker that is killed between two steps of the protocol, at the first request that comes so far.

Used as a program, with a worker's own environment and some variables more: `CHAOS_POINT` is where, and
`CHAOS_MARK` a file that the first worker to come there makes, so that only one dies. `CHAOS_SIGNAL` is what
it gets there (SIGKILL where unset), `CHAOS_STALL_S` how long its event loop stands still instead.
`CHAOS_BREAK` is a step of the protocol that it does wrong; what else can be odd about it says `oddities.py`.
"""

import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from chaos.broken_steps import broken
from chaos.oddities import be_odd, dies_of
from fleet_chassis.settings import read_settings
from fleet_worker import bootstrap
from fleet_worker.completion import Completion, Delta, Emit
from fleet_worker.deadline import Deadline
from fleet_worker.handler import Handler
from fleet_worker.main import run
from fleet_worker.ports import Completions
from fleet_worker.postponing import Upstream
from fleet_worker.request import Request
from fleet_worker.settings import WorkerSettings

POINTS = (
    "delivered",
    "claimed",
    "permitted",
    "begun",
    "streaming",
    "answered",
    "earned",
    "committed",
    "published",
)
SOME_DELTAS = 3

Pass = Callable[[str], None]
"""Comes past a point of the protocol, and may not come back."""


class Around:
    """A part of the worker, with points before and after some of its methods."""

    def __init__(self, part: Any, passed: Pass, **points: tuple[str | None, str | None]) -> None:
        self._part = part
        self._passed = passed
        self._points = points

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        return self._between(method, *self._points[name]) if name in self._points else method

    def _between(
        self, method: Callable[..., Awaitable[Any]], before: str | None, after: str | None
    ) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **named: Any) -> Any:
            if before:
                self._passed(before)
            value = await method(*args, **named)
            if after:
                self._passed(after)
            return value

        return call


class MortalCompletions:
    """Passes a point after some text, and one after the whole answer."""

    def __init__(self, completions: Completions, passed: Pass) -> None:
        self._completions = completions
        self._passed = passed

    async def complete(self, request: Request, deadline: Deadline, emit: Emit) -> Completion:
        dies_of(request.payload)
        seen = 0

        def counted(delta: Delta) -> None:
            nonlocal seen
            emit(delta)
            seen += 1
            if seen == SOME_DELTAS:
                self._passed("streaming")

        completion = await self._completions.complete(request, deadline, counted)
        self._passed("answered")
        return completion


class MortalUpstream:
    """Lets calls through that pass points."""

    def __init__(self, upstream: Upstream, passed: Pass) -> None:
        self._upstream = upstream
        self._passed = passed

    @asynccontextmanager
    async def admitted(self, request: Request, account: str) -> AsyncGenerator[Completions]:
        async with self._upstream.admitted(request, account) as completions:
            yield MortalCompletions(completions, self._passed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._upstream, name)


class MortalReplies:
    """Passes a point when a terminal reply is confirmed and its delivery not yet acknowledged."""

    def __init__(self, replies: Any, passed: Pass) -> None:
        self._replies = replies
        self._passed = passed

    def open(self, request: Request) -> Any:
        return Around(self._replies.open(request), self._passed, finish=(None, "published"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._replies, name)


def mortal(handler: Handler, passed: Pass) -> Handler:
    """The same handler, with points between its steps."""
    ledger = Around(
        handler.ledger,
        passed,
        claim=("delivered", "claimed"),
        begin_attempt=("permitted", "begun"),
        commit=("earned", "committed"),
    )
    attempting = replace(
        handler.attempting, ledger=ledger, upstream=MortalUpstream(handler.attempting.upstream, passed)
    )
    return replace(
        handler,
        ledger=ledger,
        attempting=attempting,
        replies=MortalReplies(handler.replies, passed),
    )


def die_at(point: str, mark: Path, number: signal.Signals = signal.SIGKILL, *, stall_s: float = 0.0) -> Pass:
    """Send this process a signal at `point`, or let it stall, if that was not done to another before."""

    def passed(here: str) -> None:
        if here == point:
            try:
                mark.touch(exist_ok=False)
            except FileExistsError:
                return
            if stall_s:
                time.sleep(stall_s)  # the loop stands still: that is the point
            else:
                os.kill(os.getpid(), number)

    return passed


def main() -> None:
    """Run the worker."""
    environ = os.environ  # noqa: TID251 - the edge
    number = signal.Signals[environ.get("CHAOS_SIGNAL", "SIGKILL")]
    be_odd(environ)
    passed = die_at(
        environ.get("CHAOS_POINT", ""),
        Path(environ.get("CHAOS_MARK", "")),
        number,
        stall_s=float(environ.get("CHAOS_STALL_S", "0")),
    )
    make = broken(environ.get("CHAOS_BREAK", ""))

    def build(**parts: Any) -> Handler:
        return mortal(make(**parts), passed)

    bootstrap.Handler = build  # pyright: ignore[reportPrivateImportUsage] - no seam is needed else
    run(read_settings(WorkerSettings))


if __name__ == "__main__":
    sys.exit(main())
