"""The topology as RabbitMQ's own definitions file, for `load_definitions` and the management API."""

from typing import Any

from fleet_contracts.topology import Binding, Exchange, Queue, topology


def definitions(vhost: str = "/") -> dict[str, Any]:
    """The whole topology of `vhost` in the form that `rabbitmqctl import_definitions` takes."""
    parts = topology()
    return {
        "exchanges": [_exchange(exchange, vhost) for exchange in parts.exchanges],
        "queues": [_queue(queue, vhost) for queue in parts.queues],
        "bindings": [_binding(binding, vhost) for binding in parts.bindings],
    }


def _exchange(exchange: Exchange, vhost: str) -> dict[str, Any]:
    return {
        "name": exchange.name,
        "vhost": vhost,
        "type": exchange.kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": exchange.arguments,
    }


def _queue(queue: Queue, vhost: str) -> dict[str, Any]:
    return {
        "name": queue.name,
        "vhost": vhost,
        "durable": True,
        "auto_delete": False,
        "arguments": queue.arguments,
    }


def _binding(binding: Binding, vhost: str) -> dict[str, Any]:
    return {
        "source": binding.exchange,
        "vhost": vhost,
        "destination": binding.destination,
        "destination_type": "exchange" if binding.to_exchange else "queue",
        "routing_key": binding.key,
        "arguments": {},
    }
