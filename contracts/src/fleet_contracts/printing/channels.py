"""The channels of the AsyncAPI document: where each message is published."""

from typing import Any

from fleet_contracts.grammar import TENANT_PATTERN, Lane
from fleet_contracts.printing.messages import CANCEL, DEAD_LETTER, REPLIES, REQUESTS
from fleet_contracts.reply import KINDS
from fleet_contracts.topology import (
    CONTROL,
    CONTROL_CANCELS,
    REQUESTS_DEAD,
    RESULTS,
    reply_queue,
    request_queue_arguments,
    topology,
)
from fleet_contracts.topology import REQUESTS as REQUESTS_QUEUE

Json = dict[str, Any]

_TENANT = {"description": f"Who asks, {TENANT_PATTERN}", "examples": ["acme", "billing-eu"]}


def channels() -> Json:
    """Every channel that a backend or an operator meets."""
    return {
        "requests": _requests(),
        "requestsQueue": _requests_queue(),
        "replies": _replies(),
        "results": _results(),
        "control": _control(),
        "deadLetters": _dead_letters(),
    }


def _requests() -> Json:
    return {
        "address": "{lane}.{tenant}",
        "description": "Where requests are published. A key whose first word is no lane means interactive",
        "parameters": {"lane": {"description": "Which lane", "enum": [*Lane]}, "tenant": _TENANT},
        "messages": _messages(REQUESTS),
        "bindings": _exchange(REQUESTS_QUEUE),
    }


def _requests_queue() -> Json:
    return {
        "address": REQUESTS_QUEUE,
        "description": "The interactive lane's queue, through the default exchange; not in strict mode",
        "messages": _messages(REQUESTS),
        "bindings": _queue(REQUESTS_QUEUE, request_queue_arguments()),
    }


def _replies() -> Json:
    example = reply_queue("acme", "7f3a9c")
    return {
        "address": None,
        "description": (
            "The caller's own queue: declared by the caller, named in reply_to, written to through the "
            f"default exchange. As in {example.name}"
        ),
        "messages": _messages(REPLIES),
        "bindings": _queue(None, example.arguments),
    }


def _results() -> Json:
    return {
        "address": "{kind}.{tenant}.{model}",
        "description": "Bind a queue of your own to follow what comes back, as with result.acme.#",
        "parameters": {
            "kind": {"description": "The kind of the reply", "enum": [*KINDS]},
            "tenant": _TENANT,
            "model": {
                "description": "The model asked for; characters outside [A-Za-z0-9_-] become _",
                "examples": ["deepseek-flash"],
            },
        },
        "messages": _messages(REPLIES),
        "bindings": _exchange(RESULTS),
    }


def _control() -> Json:
    return {
        "address": "cancel.{tenant}",
        "description": f"Where cancels are published; workers share the queue {CONTROL_CANCELS}",
        "parameters": {"tenant": _TENANT},
        "messages": _messages((CANCEL,)),
        "bindings": _exchange(CONTROL),
    }


def _dead_letters() -> Json:
    return {
        "address": REQUESTS_DEAD,
        "description": "What was put aside, for operators",
        "messages": _messages((DEAD_LETTER,)),
        "bindings": _queue(REQUESTS_DEAD, _arguments_of(REQUESTS_DEAD)),
    }


def _messages(names: tuple[str, ...]) -> Json:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _exchange(name: str) -> Json:
    kind = next(exchange.kind for exchange in topology().exchanges if exchange.name == name)
    exchange = {"name": name, "type": kind, "durable": True, "autoDelete": False}
    return {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": "0.3.0"}}


def _queue(name: str | None, arguments: Json) -> Json:
    queue: Json = {"durable": True, "exclusive": False, "autoDelete": False}
    if name is not None:
        queue["name"] = name
    return {
        "amqp": {"is": "queue", "queue": queue, "x-arguments": arguments, "bindingVersion": "0.3.0"},
    }


def _arguments_of(name: str) -> Json:
    return next(queue.arguments for queue in topology().queues if queue.name == name)
