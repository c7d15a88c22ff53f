"""A Lua script: loaded from a file beside the code that calls it, named to the store by its digest."""

import hashlib
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


def load_script(package: str, *names: str) -> Script:
    """The files `names` of `package` as one script, in that order: shared functions come first."""
    folder = files(package)
    return Script("\n".join((folder / name).read_text() for name in names))
