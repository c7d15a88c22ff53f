"""Turns the methods of the client into methods that wait, with their signatures kept."""

import functools
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from fleet_client.face import Face
from fleet_client.sync.home import Home
from fleet_client.sync.living import Living

P = ParamSpec("P")
T = TypeVar("T")


class Housed(Protocol):
    """Whoever has a home."""

    @property
    def _home(self) -> Home: ...


def waits(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    """`method` of the client, as a call that returns when it is done."""

    @functools.wraps(method)
    def call(self: Housed, /, *args: P.args, **kwargs: P.kwargs) -> T:
        def work(client: Face) -> Coroutine[Any, Any, T]:
            return method(client, *args, **kwargs)

        return self._home.living().run(work)  # pyright: ignore[reportPrivateUsage]

    return call


def iterates(
    method: Callable[Concatenate[Any, P], AsyncGenerator[T]],
) -> Callable[Concatenate[Any, P], Generator[T]]:
    """`method` of the client, as a plain generator; leaving it early closes the one behind it."""

    @functools.wraps(method)
    def call(self: Housed, /, *args: P.args, **kwargs: P.kwargs) -> Generator[T]:
        living = self._home.living()  # pyright: ignore[reportPrivateUsage]
        yield from iterated(living, lambda client: method(client, *args, **kwargs))

    return call


def iterated(living: Living, begin: Callable[[Face], AsyncGenerator[T]]) -> Generator[T]:
    """What a generator of the client yields, one by one; leaving it early closes that one."""
    events: list[AsyncGenerator[T]] = []

    async def pull(client: Face) -> tuple[T] | None:
        if not events:
            events.append(begin(client))
        async for event in events[0]:
            return (event,)
        return None

    try:
        while (found := living.run(pull)) is not None:
            yield found[0]
    finally:
        for each in events:
            living.leave(each)
