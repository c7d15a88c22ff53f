"""Pure: which dead letters are meant."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fleet_cli.dlq.letter import Letter
from fleet_cli.wrong_input import WrongInputError
from fleet_contracts.codes import ErrorCode

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGE = re.compile(r"([0-9]{1,9})([smhd])")
LEAST_PREFIX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a dead letter must be like; what is left empty asks nothing."""

    ids: tuple[str, ...] = ()
    """Beginnings of ids, or whole correlation IDs."""
    codes: tuple[str, ...] = ()
    tenants: tuple[str, ...] = ()
    older_s: int | None = None
    newer_s: int | None = None

    @property
    def narrows(self) -> bool:
        """Whether it asks anything."""
        asks = (self.ids, self.codes, self.tenants, self.older_s is not None, self.newer_s is not None)
        return any(asks)

    def takes(self, letter: Letter, now_ms: int) -> bool:
        """Whether `letter` is meant."""
        return (
            (not self.ids or any(_named(letter, wanted) for wanted in self.ids))
            and (not self.codes or letter.code in self.codes)
            and (not self.tenants or letter.tenant in self.tenants)
            and _in_age(letter, now_ms, self.older_s, self.newer_s)
        )

    def unnamed(self, letters: Iterable[Letter]) -> list[str]:
        """The ids asked for that name none of `letters`."""
        found = list(letters)
        return [wanted for wanted in self.ids if not any(_named(letter, wanted) for letter in found)]


def chosen(
    ids: Collection[str] | None = None,
    codes: Collection[str] | None = None,
    tenants: Collection[str] | None = None,
    older: str | None = None,
    newer: str | None = None,
) -> Choice:
    """The choice that the words of a command line make.

    Raises:
        WrongInputError: a code or an age is none.
    """
    known = {str(code) for code in ErrorCode}
    for code in codes or ():
        if code not in known:
            raise WrongInputError(f"{code!r} is no error code; they are {', '.join(sorted(known))}")
    return Choice(
        ids=tuple(ids or ()),
        codes=tuple(codes or ()),
        tenants=tuple(tenants or ()),
        older_s=_seconds(older),
        newer_s=_seconds(newer),
    )


def _named(letter: Letter, wanted: str) -> bool:
    by_beginning = len(wanted) >= LEAST_PREFIX and letter.id.startswith(wanted)
    return by_beginning or wanted in {letter.id, letter.correlation_id}


def _in_age(letter: Letter, now_ms: int, older_s: int | None, newer_s: int | None) -> bool:
    if older_s is None and newer_s is None:
        return True
    if letter.at_ms is None:
        return False
    age_s = (now_ms - letter.at_ms) / 1000
    return (older_s is None or age_s > older_s) and (newer_s is None or age_s < newer_s)


def _seconds(age: str | None) -> int | None:
    if age is None:
        return None
    told = _AGE.fullmatch(age)
    if told is None:
        raise WrongInputError(f"{age!r} is no age; give a number with s, m, h or d, as in 90m or 7d")
    return int(told[1]) * _SECONDS[told[2]]
