"""The ways to get a part of the stack, tried in order."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from fleet_cli.stack.errors import UnavailableError
from fleet_cli.stack.report import Report, Stopwatch


class Part(Protocol):
    """Something that runs, with a word for people about what it is."""

    @property
    def label(self) -> str:
        """Its product and version."""
        ...


P = TypeVar("P", bound=Part)
P_co = TypeVar("P_co", bound=Part, covariant=True)


@dataclass(frozen=True)
class Source(Generic[P_co]):
    """One way to get a part; opening it raises UnavailableError where that way is closed."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[P_co]]


@asynccontextmanager
async def first_available(ways: Sequence[Source[P]], report: Report, *, nothing: str) -> AsyncGenerator[P]:
    """The part from the first way that is open.

    Raises UnavailableError with the sentence `nothing`, its `{tried}` filled in, if none is; what is broken
    rather than closed is raised as it is.
    """
    async with AsyncExitStack() as stack:
        yield await _open_first(ways, report, nothing, stack)


async def _open_first(ways: Sequence[Source[P]], report: Report, nothing: str, stack: AsyncExitStack) -> P:
    closed: list[str] = []
    for way in ways:
        watch = Stopwatch()
        try:
            part = await stack.enter_async_context(way.open())
        except UnavailableError as why:
            closed.append(str(why))
        else:
            report(f"{part.label}: {way.name}, ready in {watch}")
            return part
    raise UnavailableError(nothing.format(tried="; ".join(closed)))
