"""The words of the wire: lanes, tenants, message types, and how they are spelt in routing keys."""

import re
from enum import StrEnum

TENANT_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
DEFAULT_TENANT = "default"
MAX_TENANT_LENGTH = 64
CANCEL_WORD = "cancel"
"""First word of a cancel's routing key on `deepseek.control`; the tenant is the second."""
MAX_CORRELATION_ID_BYTES = 255
MAX_CONVERSATION_BYTES = 255
MAX_REQUEST_BYTES = 8 * 1024 * 1024
MAX_REPLY_BYTES = 8 * 1024 * 1024

_TENANT = re.compile(TENANT_PATTERN)
_NOT_A_KEY_CHARACTER = re.compile(r"[^A-Za-z0-9_-]")


class Lane(StrEnum):
    """The two lanes of requests: `interactive` is served first, `batch` is never starved."""

    INTERACTIVE = "interactive"
    BATCH = "batch"


class RequestType(StrEnum):
    """The AMQP `type` of a request. A message without one is `chat.v1`."""

    CHAT = "chat.v1"
    FIM = "fim.v1"
    CONVERSATION = "conversation.v1"


class ConversationAction(StrEnum):
    """What a `conversation.v1` asks for."""

    HISTORY = "history"
    CLEAR = "clear"


CANCEL_TYPE = "cancel.v1"
"""The AMQP `type` of a cancel."""


class OnBreak(StrEnum):
    """What a caller wants when the call breaks after text was sent (header `fleet-on-break`)."""

    RESTART = "restart"
    CONTINUE = "continue"
    FAIL = "fail"


def is_tenant(text: str) -> bool:
    """Whether `text` may name a tenant: 1 to 64 letters, digits, underscores or hyphens."""
    return _TENANT.fullmatch(text) is not None


def routing_word(text: str) -> str:
    """`text` as one word of a routing key: every character outside `[A-Za-z0-9_-]` becomes `_`."""
    return _NOT_A_KEY_CHARACTER.sub("_", text)[:MAX_TENANT_LENGTH] or "_"


def lane_and_tenant(routing_key: str) -> tuple[Lane, str | None]:
    """The lane and tenant that a request's routing key names.

    A key whose first word is no lane says nothing about the tenant and means `interactive`, so that a
    request published straight to a queue is served too.
    """
    first, _, rest = routing_key.partition(".")
    if first not in {lane.value for lane in Lane}:
        return Lane.INTERACTIVE, None
    second = rest.partition(".")[0]
    return Lane(first), routing_word(second) if second else None


def cancelled_tenant(routing_key: str) -> str | None:
    """The tenant that a cancel's routing key `cancel.<tenant>` names; None where it is no such key."""
    first, _, rest = routing_key.partition(".")
    second = rest.partition(".")[0]
    return routing_word(second) if first == CANCEL_WORD and second else None


def request_key(lane: Lane, tenant: str) -> str:
    """The routing key to publish a request with on the exchange `deepseek.requests`."""
    return f"{lane}.{routing_word(tenant)}"


def results_key(kind: str, tenant: str, model: str) -> str:
    """The routing key of a reply on the exchange `deepseek.results`: `<kind>.<tenant>.<model>`."""
    return f"{kind}.{routing_word(tenant)}.{routing_word(model)}"
