"""Pure: the request that a dead letter was, to be asked again."""

import aio_pika

from fleet_cli.dlq.letter import Letter
from fleet_contracts import headers as names
from fleet_contracts.grammar import Lane, lane_and_tenant, request_key
from fleet_contracts.topology import REQUESTS_BATCH


def why_not(letter: Letter) -> str | None:
    """Why it can't be asked again, in half a sentence; None where it can."""
    if letter.is_cancel:
        return "is a cancel: publish it anew"
    if letter.correlation_id is None:
        return "has no correlation ID: nobody could tell its answer from another"
    return None


def lane_of(letter: Letter) -> Lane:
    """The lane that it was published to."""
    return Lane.BATCH if letter.queue == REQUESTS_BATCH else lane_and_tenant(letter.routing_key)[0]


def routing_key_of(letter: Letter) -> str:
    """The routing key that leads it back to its lane, whoever's queue it came from."""
    return request_key(lane_of(letter), letter.tenant)


def asked_again(letter: Letter, body: bytes, new_id: str, user_id: str | None) -> aio_pika.Message:
    """The same body under the same correlation ID with the next `fleet-retry`.

    The retry is counted up from the record, so that redriving one dead letter twice asks once. Its deadline
    is left out: it has passed, or soon will.
    """
    kept = {name: value for name, value in letter.kept.items() if name != names.DEADLINE_MS}
    return aio_pika.Message(
        body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=new_id,
        correlation_id=letter.correlation_id,
        reply_to=letter.reply_to,
        type=letter.type,
        user_id=user_id,
        headers={**kept, names.TENANT: letter.tenant, names.RETRY: letter.retry + 1},
    )
