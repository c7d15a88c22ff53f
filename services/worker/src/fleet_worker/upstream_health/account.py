"""Finds out whether a paused account is well again, at no cost."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError

_NOT_FOUND = 404


class Standing(Enum):
    """How the account stands: a closed set."""

    WELL = "well"
    EMPTY = "empty"
    REFUSED = "refused"
    """The key is not accepted."""
    UNKNOWN = "unknown"
    """The upstream did not say; ask later."""
    UNTOLD = "untold"
    """This upstream never says: only a real call can find out."""

    @property
    def code(self) -> ErrorCode | None:
        """The trouble by its error code; None where there is none, or none is known."""
        return {Standing.EMPTY: ErrorCode.INSUFFICIENT_BALANCE, Standing.REFUSED: ErrorCode.UNAUTHORIZED}.get(
            self
        )


class TellsBalance(Protocol):
    """What `GET /user/balance` says."""

    @property
    def available(self) -> bool:
        """Whether the account may make calls."""
        ...


class AsksBalance(Protocol):
    """Asks the upstream for the balance."""

    async def balance(self) -> TellsBalance:
        """What is left on the account; raises CompletionError."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """Looks by `GET /user/balance`, which needs the key and costs nothing.

    Source: https://api-docs.deepseek.com/api/get-user-balance
    """

    probe: AsksBalance

    async def look(self) -> Standing:
        """How the account stands now."""
        try:
            balance = await self.probe.balance()
        except CompletionError as error:
            return _standing(error)
        return Standing.WELL if balance.available else Standing.EMPTY


def _standing(error: CompletionError) -> Standing:
    if error.code is ErrorCode.UNAUTHORIZED:
        return Standing.REFUSED
    if error.code is ErrorCode.INSUFFICIENT_BALANCE:
        return Standing.EMPTY
    status = error.upstream.status if error.upstream else None
    return Standing.UNTOLD if status == _NOT_FOUND else Standing.UNKNOWN
