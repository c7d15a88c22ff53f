"""The fleet's scripts, run by Lua 5.1 as in Redis."""

import math
from collections.abc import Callable
from typing import Any, cast

from lupa import lua51

Do = Callable[[bytes, list[bytes]], Any]
"""Runs one command of a script: its name, and its arguments."""


def encoded(value: Any) -> bytes:
    """An argument as it goes over the wire; numbers of scripts as Redis writes them."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, float):
        return b"%d" % value if value.is_integer() and abs(value) < 2**53 else b"%.17g" % value
    return str(value).encode()


class Lua:
    """One Lua for all runs: what a script leaves behind are values of the server, never of Lua."""

    def __init__(self) -> None:
        # In bytes throughout, which the library's types know nothing of.
        self._runtime: Any = cast("Any", lua51).LuaRuntime(encoding=None)
        self._globals: Any = self._runtime.globals()
        self._compiled: dict[str, Any] = {}
        self._do: Do = _nobody
        self._globals[b"redis"] = self._runtime.table_from({b"call": self._call})

    def run(self, do: Do, source: str, keys: list[bytes], args: list[bytes]) -> Any:
        """Run a script; strings come back as bytes."""
        self._do = do
        compiled = self._compiled.get(source)
        if compiled is None:
            compiled = self._compiled[source] = self._runtime.compile(source.encode())
        table = self._runtime.table_from
        self._globals[b"KEYS"], self._globals[b"ARGV"] = table(keys), table(args)
        return self._to_python(compiled())

    def _call(self, name: bytes, *args: Any) -> Any:
        answer = self._do(name, list(map(encoded, args)))
        return self._to_lua(answer)

    def _to_lua(self, value: Any) -> Any:
        if value is None:
            return False
        if isinstance(value, dict):
            value = [item for pair in cast("dict[bytes, bytes]", value).items() for item in pair]
        if isinstance(value, list):
            return self._runtime.table_from(
                [False if one is None else one for one in cast("list[Any]", value)]
            )
        return value

    def _to_python(self, value: Any) -> Any:
        if value is True:
            return 1
        if value is None or value is False:
            return None
        if isinstance(value, float):
            return math.trunc(value)
        if isinstance(value, int | bytes):
            return value
        found: list[Any] = []
        for at in range(1, len(value) + 1):
            if (item := value[at]) is None:
                break
            found.append(self._to_python(item))
        return found


def _nobody(_name: bytes, _args: list[bytes]) -> Any:
    raise RuntimeError("no script runs now")


LUA = Lua()
