"""The simulation's store in memory beside a real one: to whatever scripts ask of them, both say the same."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import RedisStore, Script
from harness.store import SharedStore
from simulation.memory_redis import MemoryRedis

pytestmark = pytest.mark.sockets

# As scripts ask: numbers go through Lua on their way there, and so does the answer on its way back.
CALL = Script("return redis.call(unpack(ARGV))")
NUMBERED = Script("return redis.call(ARGV[1], KEYS[1], tonumber(ARGV[2]), ARGV[3])")
ANSWERS = Script(
    "local found = redis.call('HMGET', KEYS[1], 'a', 'z')\n"
    "return {found[1], found[2] == false and 1 or 0, 7.9, found[2], 'after nothing'}"
)

FIELDS, NAMES = st.sampled_from("abcd"), st.sampled_from(["m", "n|1", "n|2", "~m", "o"])
TEXTS, NUMBERS = st.text("xyz", max_size=3), st.integers(-50, 50).map(str)
SCORES = st.integers(-40, 40).map(lambda number: str(number / 4))
BOUNDS = st.one_of(SCORES, SCORES.map(lambda score: f"({score}"), st.sampled_from(["-inf", "+inf"]))
LETTERS = st.tuples(st.sampled_from("[("), NAMES).map("".join)


def asked(name: str, *arguments: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.tuples(st.just(name), *arguments)


HASH, SET, LIST, TEXT = st.just("hash"), st.just("set"), st.just("list"), st.just("text")
KEYS = st.sampled_from(["hash", "set", "list", "text"])
COMMANDS = st.one_of(
    asked("HSET", HASH, FIELDS, NUMBERS),
    asked("HSET", HASH, FIELDS, NUMBERS, FIELDS, NUMBERS),
    asked("HGET", HASH, FIELDS),
    asked("HMGET", HASH, FIELDS, FIELDS, FIELDS),
    asked("HEXISTS", HASH, FIELDS),
    asked("HDEL", HASH, FIELDS),
    asked("HLEN", HASH),
    asked("HINCRBY", HASH, FIELDS, NUMBERS),
    asked("HINCRBYFLOAT", HASH, FIELDS, NUMBERS),
    asked("ZADD", SET, SCORES, NAMES),
    asked("ZADD", SET, st.just("NX"), SCORES, NAMES),
    asked("ZREM", SET, NAMES),
    asked("ZCARD", SET),
    asked("ZSCORE", SET, NAMES),
    asked("ZRANGE", SET, st.just("0"), st.sampled_from(["-1", "0", "2"])),
    asked("ZRANGE", SET, st.just("0"), st.sampled_from(["-1", "0", "2"]), st.just("WITHSCORES")),
    asked("ZRANGEBYSCORE", SET, BOUNDS, BOUNDS),
    asked("ZREMRANGEBYSCORE", SET, BOUNDS, BOUNDS),
    asked("RPUSH", LIST, TEXTS),
    asked("LPOP", LIST),
    asked("LLEN", LIST),
    asked("LINDEX", LIST, st.sampled_from(["0", "-1", "3"])),
    asked("LRANGE", LIST, st.just("0"), st.just("-1")),
    asked("SET", TEXT, TEXTS),
    asked("SET", TEXT, TEXTS, st.just("PX"), st.just("60000")),
    asked("GET", TEXT),
    asked("EXISTS", KEYS),
    asked("DEL", KEYS),
    asked("UNLINK", KEYS),
    asked("PEXPIRE", KEYS, st.just("60000")),
    asked("PERSIST", KEYS),
    asked("PUBLISH", st.just("nobody"), TEXTS),
    asked("PUBSUB", st.just("NUMSUB"), st.just("nobody")),
)
UNORDERED = ("HKEYS", "HVALS")


class Both:
    """A real store and the one in memory, asked the same."""

    def __init__(self, store: RedisStore) -> None:
        self.real = store
        self.memory = MemoryRedis(lambda: 1_795_000_000_000, lambda _channel, _message: 0, lambda _channel: 0)

    async def say_the_same_to(self, script: Script, keys: list[str], args: list[Any]) -> None:
        assert await self.real.run(script, keys, args) == self.memory.run(script, keys, args)


async def said_the_same(url: str, commands: list[tuple[str, ...]]) -> None:
    store = RedisStore(url, 5, SystemClock())
    try:
        await store.command("FLUSHDB")
        both = Both(store)
        for command in commands:
            await both.say_the_same_to(CALL, [], list(command))
        for name in UNORDERED:
            real, memory = await store.command(name, "hash"), both.memory.do(name, "hash")
            assert sorted(real) == sorted(memory)
        assert await store.command("HGETALL", "hash") == both.memory.do("HGETALL", "hash")
        await both.say_the_same_to(NUMBERED, ["numbers"], ["ZADD", "1795000000123", "m"])
        await both.say_the_same_to(NUMBERED, ["numbers"], ["ZADD", "0.25", "n"])
        await both.say_the_same_to(CALL, [], ["ZRANGE", "numbers", 0, -1, "WITHSCORES"])
        await both.say_the_same_to(ANSWERS, ["hash"], [])
    finally:
        await store.aclose()


async def in_alphabetical_order(url: str, names: list[str], low: str, high: str) -> None:
    store = RedisStore(url, 5, SystemClock())
    try:
        await store.command("FLUSHDB")
        both = Both(store)
        for name in names:
            await both.say_the_same_to(CALL, [], ["ZADD", "names", 0, name])
        await both.say_the_same_to(CALL, [], ["ZRANGEBYLEX", "names", low, high])
        await both.say_the_same_to(CALL, [], ["ZRANGEBYLEX", "names", low, high, "LIMIT", 0, 1])
        await both.say_the_same_to(CALL, [], ["ZLEXCOUNT", "names", low, high])
    finally:
        await store.aclose()


def test_scripts_get_the_same_answers_from_both(store: SharedStore):
    with asyncio.Runner() as runner:
        url = runner.run(store.fresh_database())

        @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(COMMANDS, min_size=5, max_size=25))
        def same(commands: list[tuple[str, ...]]) -> None:
            runner.run(said_the_same(url, commands))

        same()


def test_names_lie_between_the_same_bounds_in_both(store: SharedStore):
    with asyncio.Runner() as runner:
        url = runner.run(store.fresh_database())

        @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(NAMES, max_size=5), LETTERS, LETTERS)
        def same(names: list[str], low: str, high: str) -> None:
            runner.run(in_alphabetical_order(url, names, low, high))

        same()
