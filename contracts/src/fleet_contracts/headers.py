"""Every AMQP header of the fleet, spelt once."""

TENANT = "fleet-tenant"
DEADLINE_MS = "fleet-deadline-ms"
RETRY = "fleet-retry"
WAITING = "fleet-waiting"
ON_BREAK = "fleet-on-break"
CONVERSATION = "fleet-conversation"
CONVERSATION_VERSION = "fleet-conversation-version"
TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
PUBLISHED_MS = "timestamp_in_ms"
"""As RabbitMQ's own interceptor calls it: https://www.rabbitmq.com/docs/message-interceptors#timestamp"""

ATTEMPT = "fleet-attempt"
SEQ = "fleet-seq"
ID = "fleet-id"

PARKED_MESSAGE_ID = "fleet-parked-message-id"
PARKED_PUBLISHED_MS = "fleet-parked-published-ms"
PARKED_REASON = "fleet-parked-reason"
PARKED_TURNED_AWAY = "fleet-parked-turned-away"
PARKED_UNTIL_MS = "fleet-parked-until-ms"

DEAD_CODE = "fleet-dead-code"
DEAD_MESSAGE = "fleet-dead-message"
DEAD_AT_MS = "fleet-dead-at-ms"
DEAD_EXCHANGE = "fleet-dead-exchange"
DEAD_QUEUE = "fleet-dead-queue"
DEAD_ROUTING_KEY = "fleet-dead-routing-key"
DEAD_WORKER = "fleet-dead-worker"
DEAD_REASON = "fleet-dead-reason"
DEAD_ATTEMPTS = "fleet-dead-attempts"
DEAD_DELIVERIES = "fleet-dead-deliveries"

KEPT_IN_DEAD_LETTERS = (
    RETRY,
    DEADLINE_MS,
    WAITING,
    ON_BREAK,
    CONVERSATION,
    CONVERSATION_VERSION,
    TRACEPARENT,
    TRACESTATE,
)
"""What a dead letter keeps of the headers that it was published with, so that it can be asked again."""
