"""A Lua script: loaded from a file beside the code that calls it, named to the store by its digest."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files


@dataclass(frozen=True)
class Script:
    """A script's whole text."""

    source: str

    @cached_property
    def sha(self) -> str:
        """The name under which the store keeps it (EVALSHA)."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()


def load_script(package: str, *names: str, shared: Sequence[str] = ()) -> Script:
    """The files `names` of `package` as one script, in that order: shared functions come first.

    `shared`: files that lie beside this one, before all others.
    """
    ours, theirs = files("fleet_chassis.store"), files(package)
    texts = [(ours / name).read_text() for name in shared] + [(theirs / name).read_text() for name in names]
    return Script("\n".join(texts))
