"""Pure: the copy of a request that goes to a rung. It says all that the message said that was published.

Left out is what would act on the copy: `expiration` (it bounded the first wait), CC and BCC (the copy would
go elsewhere too), and what the broker itself wrote, x-death above all: it would count the rounds.
"""

from collections.abc import Mapping
from typing import Any

from fleet_contracts import headers as names
from fleet_contracts.grammar import request_key
from fleet_contracts.topology import retry_rung
from fleet_worker.postponed import PostponedError
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Request

_ROUTING = frozenset({"CC", "BCC"})
_BROKERS = frozenset({names.PUBLISHED_MS, "x-delivery-count", "x-acquired-count", "x-routed-by"})
_BROKERS_PREFIXES = ("x-death", "x-first-death-", "x-last-death-", "x-received-", "x-opt-")
_OF_PARKING = "fleet-parked-"


def copy_of(request: Request, postponed: PostponedError, until_ms: int, rung_s: int, now_ms: int) -> Outgoing:
    """The copy of `request` that waits for `rung_s` seconds.

    Args:
        request: its body's bytes stay as they were published, for they are what tells it from another.
        postponed: why it waits, for whoever looks into the queue.
        until_ms: Unix time in ms before which going on makes no sense.
        rung_s: which rung.
        now_ms: Unix time in ms: from here its wait counts where nothing tells when it was published.
    """
    return Outgoing(
        exchange=retry_rung(rung_s),
        # Rungs are fanouts; the key is kept through them and names the lane when the copy comes back.
        routing_key=request_key(request.lane, request.tenant),
        body=request.published.body,
        type=request.type,
        correlation_id=request.correlation_id,
        reply_to=request.reply_to,
        headers={**_kept(request.published.headers), **_record(request, postponed, until_ms, now_ms)},
    )


def _kept(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if not _is_dropped(name)}


def _is_dropped(name: str) -> bool:
    return name in _ROUTING | _BROKERS or name.startswith((*_BROKERS_PREFIXES, _OF_PARKING))


def _record(request: Request, postponed: PostponedError, until_ms: int, now_ms: int) -> dict[str, Any]:
    turned_away = max(request.turned_away, postponed.turned_away)
    return {
        names.TENANT: request.tenant,
        **({names.PARKED_TURNED_AWAY: turned_away} if turned_away else {}),
        names.PARKED_REASON: str(postponed.reason),
        names.PARKED_UNTIL_MS: until_ms,
        names.PARKED_MESSAGE_ID: request.message_id,
        names.PARKED_PUBLISHED_MS: request.published.at_ms or now_ms - request.queued_ms,
    }
