"""Pure: what a parked copy says of its request; believed only where the fleet alone can have written it."""

from fleet_contracts import headers as names
from fleet_contracts.topology import REQUESTS_RESUMED
from fleet_worker.delivery import Delivery


def is_resumed(delivery: Delivery) -> bool:
    """Whether this is a parked request whose time has come.

    The queue tells it: rights on the broker let nobody but the fleet publish to it or to a rung.
    """
    return delivery.queue == REQUESTS_RESUMED


def parked_until_ms_of(delivery: Delivery) -> int | None:
    """The Unix time in ms before which going on makes no sense; None for what was never parked."""
    return _number(delivery, names.PARKED_UNTIL_MS) if is_resumed(delivery) else None


def turned_away_of(delivery: Delivery) -> int:
    """How many of the request's calls the upstream had turned away when it was parked."""
    return (_number(delivery, names.PARKED_TURNED_AWAY) or 0) if is_resumed(delivery) else 0


def published_ms_of(delivery: Delivery) -> int | None:
    """When the request was first published, in Unix ms; None where nothing tells."""
    first = _number(delivery, names.PARKED_PUBLISHED_MS) if is_resumed(delivery) else None
    return first or delivery.published_ms or None


def own_message_id(delivery: Delivery) -> object:
    """The id that the request's sender gave to its publish."""
    if not is_resumed(delivery):
        return delivery.message_id
    return delivery.headers.get(names.PARKED_MESSAGE_ID)


def _number(delivery: Delivery, name: str) -> int | None:
    value = delivery.headers.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
