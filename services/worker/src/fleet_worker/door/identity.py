"""Pure: who sent a delivery, which request it is, and where its replies may go."""

import hashlib
from collections.abc import Callable

from fleet_contracts import headers as names
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import DEFAULT_TENANT, MAX_CORRELATION_ID_BYTES, is_tenant, lane_and_tenant
from fleet_contracts.topology import REPLY_PREFIX
from fleet_worker.delivery import Delivery, RefusedError, TenantRule
from fleet_worker.door.resumed import is_resumed, own_message_id

_MAX_NAME_BYTES = 255


def tenant_in_request_key(routing_key: str) -> str | None:
    """The tenant that a request's routing key names."""
    return lane_and_tenant(routing_key)[1]


def tenant_of(
    delivery: Delivery, rule: TenantRule, in_key: Callable[[str], str | None] = tenant_in_request_key
) -> str:
    """Who asks: the user that the broker checked, else the header, else what `in_key` finds in the key.

    A parked copy comes from the fleet, from where nobody else may write: its header says who asked.
    """
    if is_resumed(delivery):
        return _checked_tenant(delivery.headers.get(names.TENANT), names.TENANT)
    user = delivery.user_id
    if user and user not in rule.trusted_users:
        return _checked_tenant(user, "user_id")
    if rule.strict and not user:
        raise RefusedError(
            ErrorCode.INVALID_REQUEST,
            "user_id is missing; set it to your RabbitMQ user, which is your tenant.",
        )
    named = delivery.headers.get(names.TENANT)
    if named is not None:
        return _checked_tenant(named, names.TENANT)
    return in_key(delivery.routing_key) or DEFAULT_TENANT


def _checked_tenant(value: object, where: str) -> str:
    if isinstance(value, str) and is_tenant(value):
        return value
    raise RefusedError(
        ErrorCode.INVALID_REQUEST,
        f"{where} is no tenant; use 1 to 64 letters, digits, underscores or hyphens.",
    )


def correlation_id_of(delivery: Delivery) -> str:
    """The correlation ID, which every request needs."""
    if not delivery.correlation_id:
        raise RefusedError(
            ErrorCode.INVALID_REQUEST, "correlation_id is missing; set one that is unique for each request."
        )
    correlation_id = readable(delivery.correlation_id)
    if correlation_id is None:
        raise RefusedError(
            ErrorCode.INVALID_REQUEST, "correlation_id has control characters; use printable characters only."
        )
    return correlation_id


def readable(value: object) -> str | None:
    """A short property as text that can be sent back and logged; None where it can't."""
    if not isinstance(value, str) or not value.isprintable():
        return None
    fits = 0 < len(value.encode()) <= MAX_CORRELATION_ID_BYTES
    return value if fits else None


def reply_to_of(delivery: Delivery, tenant: str, rule: TenantRule) -> str | None:
    """The queue for replies; None where the request names none."""
    if not delivery.reply_to:
        return None
    usable = usable_reply_to(delivery, tenant, rule)
    if usable is None:
        allowed = f"{REPLY_PREFIX}{tenant}." if rule.strict else ", ".join(rule.reply_prefixes)
        raise RefusedError(
            ErrorCode.REPLY_REFUSED, f"reply_to is refused; name a queue of yours that starts with {allowed}"
        )
    return usable


def usable_reply_to(delivery: Delivery, tenant: str, rule: TenantRule) -> str | None:
    """The queue for replies if the fleet may write to it: never one of its own, never an exchange."""
    reply_to = delivery.reply_to
    if (
        not isinstance(reply_to, str)
        or len(reply_to.encode()) > _MAX_NAME_BYTES
        or not reply_to.isprintable()
    ):
        return None
    prefixes = (f"{REPLY_PREFIX}{tenant}.",) if rule.strict else rule.reply_prefixes
    return reply_to if reply_to.startswith(prefixes) else None


def retry_of(delivery: Delivery) -> int:
    """Which time this correlation ID is asked, counted from 0."""
    return count_of(delivery, names.RETRY) or 0


def count_of(delivery: Delivery, name: str) -> int | None:
    """A header that is a whole number; None where it is left out."""
    value = delivery.headers.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise RefusedError(ErrorCode.INVALID_REQUEST, f"{name} must be a whole number, 0 or more.")


def message_id_of(delivery: Delivery) -> str:
    """The id of the sender's publish; one made from the body where the sender gave none."""
    return readable(own_message_id(delivery)) or hashlib.sha256(delivery.body).hexdigest()[:16]
