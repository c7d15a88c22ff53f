"""Pure: which conversation a delivery is a turn of, or asks about, and which version it continues."""

from fleet_contracts import headers as names
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import RequestType
from fleet_worker.delivery import Delivery, RefusedError
from fleet_worker.door.identity import count_of, readable

MODEL = "conversation"
"""What stands for the model, in the keys of replies, where none is asked."""


def conversation_of(delivery: Delivery, kind: RequestType) -> tuple[str | None, int | None]:
    """The conversation's name and the version to continue; None for each that is not given."""
    version = count_of(delivery, names.CONVERSATION_VERSION)
    named = delivery.headers.get(names.CONVERSATION)
    if named is None:
        if kind is RequestType.CONVERSATION or version is not None:
            raise RefusedError(
                ErrorCode.INVALID_REQUEST, f"{names.CONVERSATION} is missing; name the conversation."
            )
        return None, None
    if kind is RequestType.FIM:
        # Answering without the history would look right and be wrong.
        raise RefusedError(
            ErrorCode.INVALID_REQUEST, f"{names.CONVERSATION} is for chats; leave it out of a fim.v1."
        )
    name = readable(named)
    if name is None:
        raise RefusedError(
            ErrorCode.INVALID_REQUEST, f"{names.CONVERSATION} must have 1 to 255 printable bytes."
        )
    return name, version
