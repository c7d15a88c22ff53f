from typing import Any

import pytest

from fleet_cli.doctor.calls import check_calls
from fleet_cli.doctor.check import State
from fleet_cli.doctor.store import BEHIND_THE_STORE, check_store, keeps, persists, serves, skew
from harness.clock import HandClock


def told(**changes: Any) -> dict[str, Any]:
    """What INFO says of a store as the fleet wants it."""
    return {
        "redis_version": "7.0.15",
        "role": "master",
        "maxmemory": 0,
        "maxmemory_policy": "noeviction",
        "aof_enabled": 1,
        "aof_last_write_status": "ok",
        "rdb_last_bgsave_status": "ok",
        **changes,
    }


async def test_without_a_store_it_is_said_that_one_worker_at_most_may_run():
    (store,) = await check_store({}, HandClock())
    assert store.state is State.FINE
    assert "at most one worker may run" in store.found


async def test_a_url_that_names_no_store_is_refused_with_an_example():
    store, *others = await check_store({"REDIS_URL": "store:6379"}, HandClock())
    assert store.state is State.FAILED
    assert "redis://:password@host:6379/0" in store.found
    assert [(other.name, other.state) for other in others] == [
        (name, State.SKIPPED) for name in BEHIND_THE_STORE
    ]


@pytest.mark.parametrize("url", ["bar", "redis://host:port/0", "redis://host/0?socket_timeout=soon"])
async def test_where_a_url_names_no_store_the_checks_behind_it_are_left_out(url: str):
    store, *_ = await check_store({"REDIS_URL": url}, HandClock())
    (calls,) = await check_calls({"REDIS_URL": url}, HandClock())
    assert (store.state, calls.state) == (State.FAILED, State.SKIPPED)


def test_a_store_as_the_fleet_wants_it_is_fine():
    checks = [serves(told(), "host:1", 2), keeps(told()), persists(told()), skew(0.2)]
    assert [check.state for check in checks] == [State.FINE] * 4
    assert checks[0].found == "Redis 7.0.15 at host:1, in 2 ms"


def test_a_store_that_is_too_old_is_a_failure():
    check = serves(told(redis_version="6.2.1"), "host:1", 2)
    assert check.state is State.FAILED
    assert "Redis 6.2.1" in check.found


def test_a_version_that_nobody_knows_is_no_failure():
    assert serves({}, "host:1", 2).state is State.FINE


def test_a_replica_is_a_failure_that_asks_for_its_primary():
    check = serves(told(role="slave"), "host:1", 2)
    assert check.state is State.FAILED
    assert "primary" in check.advice


@pytest.mark.parametrize(("limit", "state"), [(100_000_000, State.FAILED), (0, State.WARNING)])
def test_a_store_that_forgets_when_it_is_full_is_told_to_refuse(limit: int, state: State):
    check = keeps(told(maxmemory=limit, maxmemory_policy="volatile-lru"))
    assert check.state is state
    assert "volatile-lru" in check.found
    assert "noeviction" in check.advice


def test_a_limit_is_named():
    assert "100 MB at most" in keeps(told(maxmemory=100_000_000)).found


def test_a_store_that_hides_its_policy_is_left_open():
    assert keeps({}).state is State.SKIPPED


def test_a_store_that_keeps_nothing_on_disk_is_a_warning():
    check = persists(told(aof_enabled=0))
    assert check.state is State.WARNING
    assert "appendonly" in check.advice


@pytest.mark.parametrize(
    "trouble",
    [{"aof_last_write_status": "err"}, {"aof_enabled": 0, "rdb_last_bgsave_status": "err"}],
)
def test_a_store_that_cannot_write_to_its_disk_is_a_failure(trouble: dict[str, Any]):
    assert persists(told(**trouble)).state is State.FAILED


@pytest.mark.parametrize(
    ("ahead_s", "side"), [(3.2, "3 s behind this machine's"), (-3.2, "3 s ahead of this machine's")]
)
def test_the_side_on_which_the_stores_clock_is_wrong_is_told(ahead_s: float, side: str):
    check = skew(ahead_s)
    assert check.state is State.WARNING
    assert check.found == side
