"""Workers with one step of the protocol done wrong on purpose: the simulation must find each of them out.

Each is put into this process for the length of a block; the product itself has no switch for it.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from fleet_chassis.store import Script

Patches = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One step done wrong."""

    name: str
    what: str
    """In words."""
    patches: Patches


MUTANTS: dict[str, Mutant] = {}


def mutant(what: str) -> Callable[[Patches], Patches]:
    """Put a function that breaks a step into the list, under its own name."""

    def register(patches: Patches) -> Patches:
        name = patches.__name__.replace("_", "-")
        MUTANTS[name] = Mutant(name, what, patches)
        return patches

    return register


@contextmanager
def planted(name: str) -> Generator[None]:
    """Break one step in this process while the block runs."""
    with MUTANTS[name].patches():
        yield


def in_script(module: Any, name: str, right: str, wrong: str) -> AbstractContextManager[Any]:
    """Change what a script of the store says."""
    whole: str = getattr(module, name).source
    assert right in whole, f"{name} says that in other words: break it in another way"
    return patch.object(module, name, Script(whole.replace(right, wrong)))


@contextmanager
def all_of(*patches: AbstractContextManager[Any]) -> Generator[None]:
    """Break it in several places."""
    with ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield
