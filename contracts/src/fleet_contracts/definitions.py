"""The topology as RabbitMQ's own definitions file, for `load_definitions` and the management API."""

from collections.abc import Iterable
from typing import Any

from fleet_contracts.rights import Keys, User, users
from fleet_contracts.topology import Binding, Exchange, Queue, topology


def definitions(vhost: str = "/") -> dict[str, Any]:
    """The whole topology of `vhost` in the form that `rabbitmqctl import_definitions` takes."""
    parts = topology()
    return {
        "exchanges": [_exchange(exchange, vhost) for exchange in parts.exchanges],
        "queues": [_queue(queue, vhost) for queue in parts.queues],
        "bindings": [_binding(binding, vhost) for binding in parts.bindings],
    }


def user_definitions(tenants: Iterable[str], vhost: str = "/") -> dict[str, Any]:
    """Every user with its rights in `vhost`, in the same form, and without a secret.

    Imported as they are, nobody can sign in by password: the hashes are empty, which also takes a password
    away from a user that has one.

    Raises:
        NoTenantError: one of `tenants` can't be a tenant's user.
    """
    everybody = users(tenants)
    return {
        "users": [{"name": user.name, "password_hash": "", "tags": list(user.tags)} for user in everybody],
        "permissions": [_permission(user, vhost) for user in everybody],
        "topic_permissions": [
            _topic_permission(user, keys, vhost) for user in everybody for keys in user.keys
        ],
    }


def _permission(user: User, vhost: str) -> dict[str, Any]:
    return {
        "user": user.name,
        "vhost": vhost,
        "configure": user.configure,
        "write": user.write,
        "read": user.read,
    }


def _topic_permission(user: User, keys: Keys, vhost: str) -> dict[str, Any]:
    return {
        "user": user.name,
        "vhost": vhost,
        "exchange": keys.exchange,
        "write": keys.write,
        "read": keys.read,
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
