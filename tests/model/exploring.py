"""Visits every state that can be reached, and gives the way to the first bad one."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Explored(Generic[S]):
    """How many states there are, and the steps to a bad one, if there is one."""

    states: int
    trouble: str = ""
    steps: tuple[str, ...] = ()


def explore(
    start: S,
    successors: Callable[[S], Iterable[tuple[str, S]]],
    wrong: Callable[[S], str],
    done: Callable[[S], bool],
) -> Explored[S]:
    """Breadth first, so that the way to trouble is a shortest one.

    Args:
        start: where everything begins.
        successors: each step that is possible in a state, by name, and the state after it.
        wrong: what must never be, in words; empty where all is well.
        done: what must be within reach from every state.
    """
    came_from: dict[S, tuple[S, str] | None] = {start: None}
    before: dict[S, list[S]] = defaultdict(list)
    ahead = deque([start])
    while ahead:
        state = ahead.popleft()
        if trouble := wrong(state):
            return Explored(len(came_from), trouble, _way(came_from, state))
        for step, following in successors(state):
            before[following].append(state)
            if following not in came_from:
                came_from[following] = (state, step)
                ahead.append(following)
    hopeless = _first_without_hope(came_from, before, done)
    if hopeless is not None:
        return Explored(len(came_from), "it can't end well any more", _way(came_from, hopeless))
    return Explored(len(came_from))


def _first_without_hope(
    states: Iterable[S], before: Mapping[S, Sequence[S]], done: Callable[[S], bool]
) -> S | None:
    ahead = [state for state in states if done(state)]
    hopeful = set(ahead)
    while ahead:
        for state in before.get(ahead.pop(), ()):
            if state not in hopeful:
                hopeful.add(state)
                ahead.append(state)
    return next((state for state in states if state not in hopeful), None)


def _way(came_from: Mapping[S, tuple[S, str] | None], state: S) -> tuple[str, ...]:
    steps: list[str] = []
    while (came := came_from[state]) is not None:
        state, step = came
        steps.append(step)
    return tuple(reversed(steps))
