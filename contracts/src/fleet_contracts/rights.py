"""Who may do what on the broker: one RabbitMQ user for each kind of program, and one for each tenant.

Applied by `fleet topology apply --users`, printed as `users.json`. RabbitMQ's rules behind it
(https://www.rabbitmq.com/docs/access-control): a right is a pattern over the names of exchanges and of
queues; `configure` declares and deletes, `write` publishes and is bound to, `read` consumes, purges and is
bound from; on a topic exchange the routing key is checked too, unless nothing is set for the user, which
allows every key. So something is set for every user and every topic exchange.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from fleet_contracts.grammar import CANCEL_WORD, DEFAULT_TENANT, Lane, is_tenant
from fleet_contracts.topology import (
    CONTROL,
    CONTROL_CANCELS,
    DEAD,
    DEAD_RAW,
    REPLY_PREFIX,
    REQUESTS,
    REQUESTS_BATCH,
    REQUESTS_DEAD,
    REQUESTS_DEFAULT,
    REQUESTS_RESUMED,
    RESULTS,
    RETRY_RUNGS_S,
    TAIL_PREFIX,
    WORKER_LOCK,
    retry_rung,
    topology,
)

DEFAULT_EXCHANGE = "amq.default"
"""The name of the default exchange in rights. Whoever may write to it can reach every queue."""
NO_NAME = "^$"
"""Fits no exchange and no queue."""
NO_KEY = "(?!)"
"""Fits no routing key, and not the empty one either, which `^$` does."""
MANAGEMENT_TAG = "management"
"""Lets a user see queues in the management API, in virtual hosts that it has rights in."""

_TENANT = r"[A-Za-z0-9_-]{1,64}"
_WORD = r"[A-Za-z0-9_-]+"
_LANES = "|".join(Lane)
_TOPIC_EXCHANGES = tuple(exchange.name for exchange in topology().exchanges if exchange.kind == "topic")


class Role(StrEnum):
    """The programs that sign in to the broker, each as a user of its own."""

    ADMIN = "admin"
    WORKER = "worker"
    OPERATOR = "operator"
    AUTOSCALER = "autoscaler"
    PRODUCER = "producer"


@dataclass(frozen=True, slots=True)
class Keys:
    """The routing keys of one topic exchange that a user may publish with, and bind by."""

    exchange: str
    write: str = NO_KEY
    read: str = NO_KEY


@dataclass(frozen=True, slots=True)
class User:
    """A RabbitMQ user with all its rights in the fleet's virtual host."""

    name: str
    role: Role
    configure: str
    write: str
    read: str
    keys: tuple[Keys, ...]
    tags: tuple[str, ...] = ()


class NoTenantError(ValueError):
    """A name can't be a tenant's user. The text says why."""


def user_name(role: Role) -> str:
    """The name of the one user of a role; a producer has its tenant's name instead."""
    return f"fleet-{role}"


def fleet_users() -> tuple[User, ...]:
    """The users of the fleet's own programs."""
    return (_admin(), _worker(), _operator(), _autoscaler())


def users(tenants: Iterable[str]) -> tuple[User, ...]:
    """The users of the fleet's own programs, and one for each tenant.

    Raises:
        NoTenantError: one of `tenants` can't be a tenant's user.
    """
    return (*fleet_users(), *(producer(tenant) for tenant in dict.fromkeys(tenants)))


def producer(tenant: str) -> User:
    """A backend: asks, cancels and follows results as its own tenant, and owns that tenant's reply queues.

    Raises:
        NoTenantError: it can't be a tenant's user.
    """
    _check(tenant)
    own_queues = rf"{re.escape(f'{REPLY_PREFIX}{tenant}.')}.+"
    return User(
        tenant,
        Role.PRODUCER,
        configure=f"^{own_queues}$",
        write=f"^({_either(REQUESTS, CONTROL)}|{own_queues})$",
        read=f"^({_either(RESULTS)}|{own_queues})$",
        keys=_keys(
            Keys(REQUESTS, write=rf"^({_LANES})\.{tenant}$"),
            Keys(CONTROL, write=rf"^{CANCEL_WORD}\.{tenant}$"),
            # A pattern with a wildcard in the tenant's place begins with none of these.
            Keys(RESULTS, read=rf"^(result|failure|chunk)\.{tenant}\."),
        ),
    )


def _admin() -> User:
    """The deploy step: declares, binds and deletes; publishes nothing, and never sees a tenant's replies."""
    parts = _any_below("requests", "retry", "results", "control", "dead")
    return User(
        user_name(Role.ADMIN),
        Role.ADMIN,
        configure=parts,
        write=parts,
        read=parts,
        keys=_keys(
            Keys(REQUESTS, read=rf"^({_LANES})\.{_TENANT}$"),
            Keys(REQUESTS_DEFAULT, read=rf"^{Lane.BATCH}\.#$"),
            Keys(CONTROL, read=rf"^{CANCEL_WORD}\.\*$"),
        ),
    )


def _worker() -> User:
    """A worker, with the janitor that every worker carries.

    Replies go to queues by their names, through the default exchange: whoever may do that can write to every
    queue, so what a worker writes to is checked by the worker itself (`reply_to`).
    """
    rungs = [retry_rung(seconds) for seconds in RETRY_RUNGS_S]
    consumed = _either(REQUESTS, REQUESTS_BATCH, REQUESTS_RESUMED, CONTROL_CANCELS, DEAD_RAW)
    of_tenants = rf"{re.escape(REQUESTS)}\.({_LANES})\.{_TENANT}"
    return User(
        user_name(Role.WORKER),
        Role.WORKER,
        configure=f"^{_either(WORKER_LOCK)}$",
        write=f"^({_either(DEFAULT_EXCHANGE, RESULTS, DEAD, *rungs)})$",
        read=f"^({consumed}|{of_tenants})$",
        keys=_keys(Keys(RESULTS, write=rf"^(result|failure|chunk)\.{_TENANT}\.{_WORD}$")),
    )


def _operator() -> User:
    """A person on duty: reads and redrives dead letters, and follows every tenant's results."""
    own_queues = rf"{re.escape(TAIL_PREFIX)}.+"
    return User(
        user_name(Role.OPERATOR),
        Role.OPERATOR,
        configure=f"^{own_queues}$",
        write=f"^({_either(REQUESTS)}|{own_queues})$",
        read=f"^({_either(RESULTS, REQUESTS_DEAD)}|{own_queues})$",
        keys=_keys(Keys(REQUESTS, write=rf"^({_LANES})\.{_TENANT}$"), Keys(RESULTS, read=".*")),
        tags=(MANAGEMENT_TAG,),
    )


def _autoscaler() -> User:
    """What counts waiting requests, over the management API; it may touch nothing."""
    return User(
        user_name(Role.AUTOSCALER),
        Role.AUTOSCALER,
        configure=NO_NAME,
        write=NO_NAME,
        read=NO_NAME,
        keys=_keys(),
        tags=(MANAGEMENT_TAG,),
    )


def _keys(*some: Keys) -> tuple[Keys, ...]:
    """Something for every topic exchange: where nothing is granted, no key fits."""
    granted = {keys.exchange: keys for keys in some}
    return tuple(granted.get(exchange, Keys(exchange)) for exchange in _TOPIC_EXCHANGES)


def _either(*names: str) -> str:
    return "|".join(re.escape(name) for name in names)


def _any_below(*words: str) -> str:
    """The fleet's exchanges and queues with one of these first words, whatever follows."""
    return rf"^deepseek\.({'|'.join(words)})(\.|$)"


def _check(tenant: str) -> None:
    if not is_tenant(tenant):
        raise NoTenantError(f"{tenant!r} is no tenant: use 1 to 64 letters, digits, underscores or hyphens")
    if tenant == DEFAULT_TENANT:
        # What names nobody counts as this tenant's, so a user of that name would see of it.
        raise NoTenantError(f"{tenant} is who asks without a name: give the tenant another one")
    if tenant in {user.name for user in fleet_users()}:
        raise NoTenantError(f"{tenant} is the user of one of the fleet's programs: name the tenant otherwise")
