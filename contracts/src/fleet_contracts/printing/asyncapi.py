"""The contract as an AsyncAPI document, told from the fleet's side.

Source of the format: https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

from typing import Any

from fleet_contracts.printing.channels import channels
from fleet_contracts.printing.examples import Examples
from fleet_contracts.printing.messages import REPLIES, REQUESTS, messages

CONTRACT_VERSION = "1.0.0"

Json = dict[str, Any]


def asyncapi(examples: Examples) -> Json:
    """The whole document, with `examples` in the messages that they are examples of."""
    return {
        "asyncapi": "3.0.0",
        "id": "urn:deepseek-fleet:contract:v1",
        "info": _info(),
        "defaultContentType": "application/json",
        "servers": {"broker": _server()},
        "channels": channels(),
        "operations": _operations(),
        "components": {
            "messages": messages(examples),
            "securitySchemes": {
                "user": {
                    "type": "userPassword",
                    "description": "A RabbitMQ user; in strict mode its name is the tenant",
                }
            },
        },
    }


def _info() -> Json:
    return {
        "title": "deepseek-fleet",
        "version": CONTRACT_VERSION,
        "description": (
            "Publish the JSON that you would POST to DeepSeek; get a stream of chunks and one terminal "
            "reply. AMQP's own properties (correlation_id, reply_to, type) are described by "
            "x-amqp-properties of each message, for AsyncAPI's headers are the application's alone."
        ),
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    }


def _server() -> Json:
    return {
        "host": "{host}:{port}",
        "pathname": "/{vhost}",
        "protocol": "amqp",
        "protocolVersion": "0.9.1",
        "description": "RabbitMQ 3.10 or newer",
        "variables": {
            "host": {"description": "Where RabbitMQ is", "default": "localhost"},
            "port": {"description": "5672, or 5671 for TLS (amqps)", "default": "5672"},
            "vhost": {"description": "The virtual host, percent-encoded; %2F is /", "default": "%2F"},
        },
        "security": [{"$ref": "#/components/securitySchemes/user"}],
    }


def _operations() -> Json:
    return {
        "receiveRequests": _receive_requests("requests"),
        "receiveRequestsFromQueue": _receive_requests("requestsQueue"),
        "receiveCancels": _operation(
            "receive", "control", ("cancel.v1",), "A caller no longer wants an answer"
        ),
        "sendReplies": _operation(
            "send", "replies", REPLIES, "Answers a request that names a reply queue", deliveryMode=2
        ),
        "sendResults": _operation(
            "send",
            "results",
            REPLIES,
            "Every terminal reply; all replies to a request that names no reply queue",
            deliveryMode=2,
        ),
        "sendDeadLetters": _operation(
            "send", "deadLetters", ("dead_letter.v1",), "Puts aside what can not be answered", deliveryMode=2
        ),
    }


def _receive_requests(channel: str) -> Json:
    return {
        **_operation("receive", channel, REQUESTS, "Takes a request on", ack=True),
        "reply": {
            "address": {
                "location": "$message.header#/reply_to",
                "description": "The AMQP property reply_to; without it replies go to the channel results",
            },
            "channel": {"$ref": "#/channels/replies"},
            "messages": _references("replies", REPLIES),
        },
    }


def _operation(action: str, channel: str, names: tuple[str, ...], summary: str, **binding: object) -> Json:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": _references(channel, names),
        "bindings": {"amqp": {**binding, "bindingVersion": "0.3.0"}},
    }


def _references(channel: str, names: tuple[str, ...]) -> list[Json]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
