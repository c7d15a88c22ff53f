"""Pure: where a reply goes. A caller's own queue, or the topic exchange that anyone may follow."""

from typing import Any

from fleet_contracts import headers as names
from fleet_contracts.grammar import results_key
from fleet_contracts.reply import message_type
from fleet_contracts.topology import DIRECT_REPLY_PREFIX, RESULTS
from fleet_worker.composing import Composed
from fleet_worker.replies.outgoing import Outgoing
from fleet_worker.request import Addressed, Refusal
from fleet_worker.terminal import Terminal

UNKNOWN_MODEL = "unknown"


def to_caller(request: Addressed, composed: Composed) -> Outgoing:
    """A reply on the caller's queue; on the results where the request names no queue."""
    if request.reply_to is None:
        return to_followers(request, composed)
    return _on_queue(request.reply_to, request.correlation_id, composed)


def to_followers(request: Addressed, composed: Composed) -> Outgoing:
    """A reply on `deepseek.results`."""
    key = results_key(composed.kind, request.tenant, request.model)
    return _outgoing(RESULTS, key, request.correlation_id, composed)


def refusal_to_sender(refusal: Refusal, composed: Composed) -> Outgoing | None:
    """A refusal on its sender's queue; None where the sender named no usable one."""
    if refusal.reply_to is None:
        return None
    return _on_queue(refusal.reply_to, refusal.correlation_id, composed)


def refusal_to_followers(refusal: Refusal, composed: Composed) -> Outgoing:
    """A refusal on `deepseek.results`."""
    key = results_key(composed.kind, refusal.tenant, UNKNOWN_MODEL)
    return _outgoing(RESULTS, key, refusal.correlation_id, composed)


def terminal_reply(terminal: Terminal) -> Composed:
    """The terminal reply in the form in which every reply is addressed."""
    return Composed(terminal.kind, terminal.fleet_id, terminal.body, terminal.attempt or None)


def _on_queue(queue: str, correlation_id: str | None, composed: Composed) -> Outgoing:
    # RabbitMQ 4.2 and newer return nothing for a direct reply-to whose reader has gone, so asking for a
    # return there promises more than the broker keeps.
    mandatory = not queue.startswith(DIRECT_REPLY_PREFIX)
    return _outgoing("", queue, correlation_id, composed, mandatory=mandatory)


def _outgoing(
    exchange: str, key: str, correlation_id: str | None, composed: Composed, *, mandatory: bool = True
) -> Outgoing:
    # By their places: one is made for each chunk, and names take half as long again.
    headers = _headers(composed)
    type_ = message_type(composed.kind)
    return Outgoing(exchange, key, composed.body, type_, correlation_id, None, headers, mandatory)


def _headers(composed: Composed) -> dict[str, Any]:
    headers: dict[str, Any] = {names.ID: composed.fleet_id}
    if composed.attempt is not None:
        headers[names.ATTEMPT] = composed.attempt
    if composed.seq is not None:
        headers[names.SEQ] = composed.seq
    return headers
