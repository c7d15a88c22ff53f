"""Reads what comes off the wire. What this version doesn't know is left out; nothing is trusted."""

from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from fleet_contracts import ErrorCode, Failure, Reply, Result
from fleet_contracts.reply import KINDS

_TERMINAL = frozenset({"result", "history", "failure"})
_CODES = frozenset(ErrorCode)


@dataclass(frozen=True, slots=True)
class Received:
    """A reply, checked, and the JSON it was read from."""

    reply: Reply = field(repr=False)
    body: dict[str, Any] = field(repr=False)

    @property
    def response(self) -> dict[str, Any]:
        """DeepSeek's object in a result, untouched; empty in any other reply."""
        return self.body["response"] if isinstance(self.reply, Result) else {}


def read(body: bytes) -> Received | None:
    """The reply in `body`; None where it is of a kind that this version doesn't know, or none at all.

    A result or failure that breaks the contract becomes a failure with the code `internal`, so that whoever
    waits for it is told.
    """
    fields = _object(body)
    kind = fields.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return None
    try:
        return Received(cast("Reply", KINDS[kind].model_validate(_known(fields))), fields)
    except ValueError:
        return Received(_unreadable(fields), fields) if kind in _TERMINAL else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", fields) if isinstance(fields, dict) else {}


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    code = fields.get("code")
    if fields["kind"] != "failure" or code in _CODES:
        return fields
    message = f"{fields.get('message')} (its code, {code}, is newer than this client)"
    return {**fields, "code": ErrorCode.INTERNAL, "message": message}


def _unreadable(fields: dict[str, Any]) -> Failure:
    return Failure(
        id=str(fields.get("id")),
        code=ErrorCode.INTERNAL,
        message="The reply breaks the contract. Compare the versions of deepseek-fleet-client and fleet.",
        retryable=False,
        attempts=0,
    )
