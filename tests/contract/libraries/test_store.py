"""What is needed of redis-py beyond its documentation, where no socket is needed."""

from inspect import iscoroutinefunction, signature
from typing import Any

from redis import exceptions
from redis.asyncio import Connection, Redis
from redis.asyncio.client import PubSub

from harness.habits import are, relied_on

DOOR = "services/chassis/src/fleet_chassis/store/redis.py"


def test_what_a_store_that_is_away_says_is_of_a_known_kind():
    away = (
        exceptions.BusyLoadingError,
        exceptions.AuthenticationError,
        exceptions.MaxConnectionsError,
    )
    refusals = (
        exceptions.ReadOnlyError,
        exceptions.OutOfMemoryError,
        exceptions.ClusterDownError,
        exceptions.NoScriptError,
    )
    relied_on(
        "redis",
        are(exceptions.ConnectionError, *away)
        and are(exceptions.ResponseError, *refusals)
        and not are(exceptions.ConnectionError, exceptions.TimeoutError),
        "loading, authentication and a full pool are ConnectionErrors, refusals are ResponseErrors",
        f"mend _UNAVAILABLE in {DOOR}, by which a store that is away is told from a script that is wrong",
    )


async def test_a_pipeline_gathers_commands_without_being_awaited():
    untyped: Any = Redis()
    pipeline = untyped.pipeline(transaction=False)
    gathered = pipeline.execute_command("PING")
    relied_on(
        "redis",
        gathered is pipeline
        and len(pipeline) == 1
        and "raise_on_error" in signature(pipeline.execute).parameters,
        "pipeline.execute_command gathers and returns the pipeline; execute(raise_on_error=False) sends",
        f"mend _send_once in {DOOR}",
    )


async def test_a_new_connection_is_greeted_by_the_function_that_is_given():
    async def greet(connection: Any) -> None:
        del connection

    connection: Any = Connection(redis_connect_func=greet)
    relied_on(
        "redis",
        connection.redis_connect_func is greet
        and all(
            iscoroutinefunction(getattr(connection, name, None)) for name in ("on_connect", "read_response")
        )
        and hasattr(connection, "send_command"),
        "redis_connect_func is called with a new connection, in place of on_connect, and may ask",
        f"mend _connected in {DOOR}: by the run_id that it reads a restarted store is noticed",
    )


def test_a_subscription_is_read_with_a_timeout():
    relied_on(
        "redis",
        "timeout" in signature(PubSub.get_message).parameters and iscoroutinefunction(PubSub.subscribe),
        "PubSub.get_message(timeout=...) returns None where nothing came",
        "mend Listener in services/chassis/src/fleet_chassis/store/listening.py",
    )
