"""How one request ended, read from `deepseek.results`."""

from dataclasses import dataclass

from fleet_client.answer import Answer, answer_from, is_intact, torn
from fleet_client.errors import FleetError, error_from
from fleet_client.following import Delivery
from fleet_client.reading import Received, read
from fleet_contracts import Failure, Result


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request ended: with an answer, or with an error. Its `repr` shows no text.

    Attributes:
        id: the request's correlation ID.
        fleet_id: equal on every copy of this outcome: the key to remember it by.
        tenant: who asked, as a word of a routing key.
        model: which model, as a word of a routing key (`deepseek-v4-pro`; dots become `_`).
        answer: the answer; None where there is none.
        error: why there is none; None where there is an answer.
    """

    id: str
    fleet_id: str
    tenant: str
    model: str
    answer: Answer | None
    error: FleetError | None

    def unwrap(self) -> Answer:
        """The answer.

        Raises:
            FleetError: there is none; the class says why.
        """
        if self.answer is None:
            raise self.error or FleetError("The outcome is empty.", correlation_id=self.id)
        return self.answer


def outcome_from(delivery: Delivery) -> Outcome | None:
    """The outcome in a message of `deepseek.results`; None where it holds none, as a chunk does."""
    received = read(delivery.body)
    if received is None or not isinstance(received.reply, Result | Failure):
        return None
    answer, error = ended(received, received.reply, delivery.correlation_id)
    tenant, model = _words(delivery.routing_key)
    return Outcome(delivery.correlation_id, received.reply.id, tenant, model, answer, error)


def ended(
    received: Received, reply: Result | Failure, correlation_id: str
) -> tuple[Answer | None, FleetError | None]:
    """The answer that a terminal reply brings, or the error."""
    if isinstance(reply, Failure):
        return None, error_from(reply, correlation_id)
    answer = answer_from(reply, received.response, correlation_id)
    return (answer, None) if is_intact(reply.digests, answer) else (None, torn(answer))


def _words(routing_key: str) -> tuple[str, str]:
    # `<kind>.<tenant>.<model>`
    _, _, rest = routing_key.partition(".")
    tenant, _, model = rest.partition(".")
    return tenant, model
