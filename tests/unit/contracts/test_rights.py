"""What has to hold for every user's rights, before any broker is asked."""

import re
from collections.abc import Callable  # noqa: TC003 - hypothesis reads the types of what it calls

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.definitions import user_definitions
from fleet_contracts.grammar import TENANT_PATTERN, Lane, request_key
from fleet_contracts.rights import NoTenantError, Role, User, fleet_users, producer, user_name, users
from fleet_contracts.topology import reply_queue, retry_rung, tenant_topology, topology

PARTS = topology()
NAMES = [part.name for part in (*PARTS.exchanges, *PARTS.queues)]
TENANTS = st.from_regex(TENANT_PATTERN, fullmatch=True).filter(
    lambda name: name not in {"default", *(user.name for user in fleet_users())}
)
everybody = pytest.mark.parametrize("user", users(["acme"]), ids=lambda user: user.name)


def key_rights(user: User, exchange: str) -> tuple[str, str]:
    (keys,) = (keys for keys in user.keys if keys.exchange == exchange)
    return keys.write, keys.read


@everybody
def test_something_is_set_for_every_topic_exchange_as_nothing_would_allow_every_key(user: User):
    assert {keys.exchange for keys in user.keys} == {
        exchange.name for exchange in PARTS.exchanges if exchange.kind == "topic"
    }


@everybody
def test_no_pattern_fits_a_part_of_a_name(user: User):
    patterns = [user.configure, user.write, user.read]
    assert all(pattern.startswith("^") for pattern in patterns)
    assert [name for name in NAMES for pattern in patterns if re.search(pattern, f"not-{name}")] == []


@everybody
def test_no_user_but_the_deploy_steps_may_change_a_part_of_the_topology(user: User):
    changed = [name for name in NAMES if re.search(user.configure, name)]
    assert changed == (NAMES if user.role is Role.ADMIN else [])


def test_a_worker_alone_may_write_to_queues_by_their_names():
    writers = [user.role for user in users(["acme"]) if re.search(user.write, "amq.default")]
    assert writers == [Role.WORKER]


def test_a_worker_reaches_every_rung_and_every_tenants_own_queue():
    worker = next(user for user in fleet_users() if user.role is Role.WORKER)
    assert re.search(worker.write, retry_rung(600))
    assert all(re.search(worker.read, queue.name) for queue in tenant_topology("a-B_9").queues)


@given(TENANTS, TENANTS)
def test_a_tenant_reaches_what_is_its_own_and_nothing_of_any_other(tenant: str, other: str):
    user = producer(tenant)
    may_publish, _ = key_rights(user, "deepseek.requests")
    may_cancel, _ = key_rights(user, "deepseek.control")
    _, may_follow = key_rights(user, "deepseek.results")
    reached: dict[str, Callable[[str], object]] = {
        "queue": lambda name: re.search(user.configure, reply_queue(name, "1").name),
        "consumed": lambda name: re.search(user.read, reply_queue(name, "1").name),
        "asked": lambda name: re.search(may_publish, request_key(Lane.BATCH, name)),
        "cancelled": lambda name: re.search(may_cancel, f"cancel.{name}"),
        "followed": lambda name: re.search(may_follow, f"result.{name}.deepseek-flash"),
    }
    assert [what for what, reaches in reached.items() if not reaches(tenant)] == []
    if tenant != other:
        assert [what for what, reaches in reached.items() if reaches(other)] == []


@pytest.mark.parametrize("name", ["", "a.b", "a b", "x" * 65, "default", user_name(Role.WORKER), "*"])
def test_what_can_be_no_tenant_gets_no_user(name: str):
    with pytest.raises(NoTenantError):
        producer(name)


def test_the_printed_users_hold_no_password():
    printed = user_definitions(["acme"])
    assert {user["password_hash"] for user in printed["users"]} == {""}
    assert "password" not in {name for user in printed["users"] for name in user}
