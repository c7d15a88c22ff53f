"""API keys: where they come from, and how a key that is changed in its file is taken without a restart.

A file is looked at before use, once a second at most: a stat costs microseconds, works on every file system,
and follows the links that Kubernetes swaps when a mounted secret changes.
Source: https://kubernetes.io/docs/concepts/configuration/secret/#mounted-secrets-are-updated-automatically
"""

import os
from collections import deque
from pathlib import Path
from typing import Protocol

from fleet_chassis.clock import Clock
from fleet_chassis.logging import Log

LOOK_S = 1.0
"""A key is used for so long after its file was looked at; a refusal makes its holder look at once."""
MAX_BYTES = 16 * 1024
_REMEMBERED = 8
Stamp = tuple[int, int, int, int]


class Keys(Protocol):
    """Gives the key of one account. No key is ever part of a repr, a log line or an error."""

    def current(self) -> str:
        """The key to use now; empty where the upstream wants none."""
        ...

    def newer_than(self, key: str) -> str | None:
        """The key to use now that `key` was refused; None where it is still the same."""
        ...

    def hide(self, body: bytes) -> bytes:
        """`body` without any key of this account, for servers that repeat the key that they refuse."""
        ...


class FixedKey:
    """A key that stays the same for as long as the process lives.

    Args:
        key: The key; empty where the upstream wants none.

    Raises:
        ValueError: the key can't be a header's value.
    """

    def __init__(self, key: str) -> None:
        self._key = checked(key) if key else ""

    def __repr__(self) -> str:
        return "FixedKey('***')"

    def current(self) -> str:
        """The key."""
        return self._key

    def newer_than(self, key: str) -> str | None:
        """None: it does not change."""
        del key

    def hide(self, body: bytes) -> bytes:
        """`body` without the key."""
        return body.replace(self._key.encode(), b"***") if self._key else body


class KeyFile:
    """A key in a file, read again when the file has changed.

    While the file is missing or holds no key, as in the middle of being written, the key before it stays.

    Args:
        path: The file; space around the key is dropped.
        clock: The time.
        log: Is told when the key changed, and once when its file can't be used any more.

    Raises:
        ValueError: the file can't be read or holds no key; the text says what to do.
    """

    def __init__(self, path: Path, clock: Clock, log: Log) -> None:
        self._path = path
        self._clock = clock
        self._log = log
        self._stamp, self._key = _read(path)
        self._known = deque([self._key], _REMEMBERED)
        self._looked_at = clock.monotonic()
        self._troubled = False

    def __repr__(self) -> str:
        return f"KeyFile({str(self._path)!r})"

    def current(self) -> str:
        """The key that the file held a second ago, or later."""
        if self._clock.monotonic() - self._looked_at >= LOOK_S:
            self._look()
        return self._key

    def newer_than(self, key: str) -> str | None:
        """The key that the file holds now, if it is another one."""
        self._look()
        return self._key if self._key != key else None

    def hide(self, body: bytes) -> bytes:
        """`body` without the keys that the file held lately."""
        for key in self._known:
            body = body.replace(key.encode(), b"***")
        return body

    def _look(self) -> None:
        self._looked_at = self._clock.monotonic()
        try:
            if _stamp(self._path) == self._stamp:
                self._troubled = False
                return
            stamp, key = _read(self._path)
        except (OSError, ValueError) as error:
            if not self._troubled:
                self._log.error(
                    "the key's file can't be used: the key before it stays", path=str(self._path), error=error
                )
            self._troubled = True
            return
        self._stamp, self._troubled = stamp, False
        if key != self._key:
            self._key = key
            self._known.append(key)
            self._log.warning("the API key was changed", path=str(self._path))


def checked(key: str) -> str:
    """A key without the space around it.

    Raises:
        ValueError: it can't be a header's value.
    """
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the API key is empty or holds characters that no key has: set DEEPSEEK_API_KEY")
    return key


def _read(path: Path) -> tuple[Stamp, str]:
    try:
        # Before the text: what is written in between shows as another change.
        stamp = _stamp(path)
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(
            f"the key's file {path} can't be read ({error.strerror}): put the key there"
        ) from error
    try:
        return stamp, checked(text[:MAX_BYTES].decode())
    except ValueError:
        # Without its cause: the error of a decoder holds what it could not decode.
        raise ValueError(
            f"the key's file {path} holds no API key: write the key into it, and nothing else"
        ) from None


def _stamp(path: Path) -> Stamp:
    seen = os.stat(path)  # noqa: PTH116  # follows links, so that the swapped one behind them counts
    return seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_size
