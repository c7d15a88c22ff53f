"""The commands of Redis that the fleet's scripts and workers use, over dictionaries, with the real scripts.

The scripts run in Lua 5.1, as in Redis. tests/integration/worker/test_memory_redis.py holds every command
against a real store.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

from fleet_chassis.store import Script
from simulation import scores
from simulation.lua import LUA, encoded

Key = bytes
Hash = dict[bytes, bytes]


class MemoryRedis:
    """One server's data.

    Args:
        now_ms: the server's own time, Unix time in ms.
        publish: hands a message to whoever listens on a channel, and says how many do.
        listeners: how many listen on a channel.
    """

    def __init__(
        self,
        now_ms: Callable[[], float],
        publish: Callable[[bytes, bytes], int],
        listeners: Callable[[bytes], int],
    ) -> None:
        self._now_ms = now_ms
        self._publish = publish
        self._listeners = listeners
        self.began_ms = now_ms()
        self.data: dict[Key, Any] = {}
        self.ends_ms: dict[Key, float] = {}
        self._first_end_ms = math.inf

    def copied(self) -> dict[Key, Any]:
        """Everything as it is now, for a replica."""
        return {key: value.copy() if hasattr(value, "copy") else value for key, value in self.data.items()}

    def run(self, script: Script, keys: Sequence[Any], args: Sequence[Any]) -> Any:
        """Run a script; strings come back as bytes."""
        return LUA.run(self._do, script.source, list(map(encoded, keys)), list(map(encoded, args)))

    def do(self, *command: Any) -> Any:
        """Run one command."""
        name, *args = map(encoded, command)
        return self._do(name, args)

    def _do(self, name: bytes, args: list[bytes]) -> Any:
        if self._first_end_ms <= self._now_ms():
            self._expire()
        return _COMMANDS[name](self, *args)

    def _expire(self) -> None:
        now = self._now_ms()
        for key in [key for key, at in self.ends_ms.items() if at <= now]:
            del self.ends_ms[key]
            self.data.pop(key, None)
        self._first_end_ms = min(self.ends_ms.values(), default=math.inf)

    # ---------------------------------------------------------------- keys
    def _hash(self, key: Key) -> Hash:
        return self.data.get(key) or {}

    def _for_writing(self, key: Key) -> dict[bytes, Any]:
        return self.data.setdefault(key, {})

    def _drop_if_empty(self, key: Key) -> None:
        if not self.data.get(key, True):
            self._del(key)

    def _del(self, *keys: Key) -> int:
        for key in keys:
            self.ends_ms.pop(key, None)
        return sum(self.data.pop(key, None) is not None for key in keys)

    def _exists(self, *keys: Key) -> int:
        return sum(key in self.data for key in keys)

    def _pexpire(self, key: Key, ms: bytes) -> int:
        if key not in self.data:
            return 0
        self.ends_ms[key] = at = self._now_ms() + float(ms)
        self._first_end_ms = min(self._first_end_ms, at)
        return 1

    def _persist(self, key: Key) -> int:
        return int(self.ends_ms.pop(key, None) is not None)

    def _time(self) -> list[bytes]:
        micros = round(self._now_ms() * 1000)
        return [b"%d" % (micros // 1_000_000), b"%d" % (micros % 1_000_000)]

    def _info(self, _section: bytes) -> bytes:
        return b"uptime_in_seconds:%d\r\n" % ((self._now_ms() - self.began_ms) // 1000)

    # ---------------------------------------------------------------- strings
    def _get(self, key: Key) -> bytes | None:
        return self.data.get(key)

    def _set(self, key: Key, value: bytes, *options: bytes) -> bytes:
        self.data[key] = value
        self.ends_ms.pop(key, None)
        if options:
            unit, count = options
            self._pexpire(key, b"%d" % (int(count) * (1000 if unit == b"EX" else 1)))
        return b"OK"

    # ---------------------------------------------------------------- hashes
    def _hset(self, key: Key, *pairs: bytes) -> int:
        known = self._for_writing(key)
        before = len(known)
        known.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(known) - before

    def _hget(self, key: Key, field: bytes) -> bytes | None:
        return self._hash(key).get(field)

    def _hmget(self, key: Key, *fields: bytes) -> list[bytes | None]:
        return list(map(self._hash(key).get, fields))

    def _hgetall(self, key: Key) -> dict[bytes, bytes]:
        return dict(self._hash(key))

    def _hkeys(self, key: Key) -> list[bytes]:
        return list(self._hash(key))

    def _hvals(self, key: Key) -> list[bytes]:
        return list(self._hash(key).values())

    def _hlen(self, key: Key) -> int:
        return len(self._hash(key))

    def _hexists(self, key: Key, field: bytes) -> int:
        return int(field in self._hash(key))

    def _hdel(self, key: Key, *fields: bytes) -> int:
        known = self._hash(key)
        gone = sum(known.pop(field, None) is not None for field in fields)
        self._drop_if_empty(key)
        return gone

    def _hincrby(self, key: Key, field: bytes, by: bytes) -> int:
        known = self._for_writing(key)
        now = int(known.get(field, b"0")) + int(by)
        known[field] = b"%d" % now
        return now

    def _hincrbyfloat(self, key: Key, field: bytes, by: bytes) -> bytes:
        known = self._for_writing(key)
        known[field] = encoded(float(known.get(field, b"0")) + float(by))
        return known[field]

    # ---------------------------------------------------------------- sorted sets
    def _zadd(self, key: Key, *given: bytes) -> int:
        only_new = given[0] == b"NX"
        pairs = given[1:] if only_new else given
        known = cast("scores.Scores", self._for_writing(key))
        before = len(known)
        for score, member in zip(pairs[::2], pairs[1::2], strict=True):
            if not (only_new and member in known):
                known[member] = float(score)
        return len(known) - before

    def _zrem(self, key: Key, *members: bytes) -> int:
        return self._hdel(key, *members)

    def _zscore(self, key: Key, member: bytes) -> bytes | None:
        score = self.data.get(key, {}).get(member)
        return None if score is None else encoded(score)

    def _zrange(self, key: Key, first: bytes, last: bytes, *options: bytes) -> list[bytes]:
        until = None if int(last) == -1 else int(last) + 1
        found = scores.in_order(self.data.get(key, {}))[int(first) : until]
        if options:
            return [item for score, member in found for item in (member, encoded(score))]
        return [member for _, member in found]

    def _zrangebyscore(self, key: Key, low: bytes, high: bytes) -> list[bytes]:
        return scores.between(self.data.get(key, {}), low, high)

    def _zremrangebyscore(self, key: Key, low: bytes, high: bytes) -> int:
        found = self._zrangebyscore(key, low, high) if key in self.data else []
        return self._zrem(key, *found) if found else 0

    def _zrangebylex(self, key: Key, low: bytes, high: bytes, *limit: bytes) -> list[bytes]:
        found = scores.alphabetical(self.data.get(key, {}), low, high)
        return found[int(limit[1]) : int(limit[1]) + int(limit[2])] if limit else found

    def _zlexcount(self, key: Key, low: bytes, high: bytes) -> int:
        return len(self._zrangebylex(key, low, high))

    # ---------------------------------------------------------------- lists
    def _list(self, key: Key) -> list[bytes]:
        return self.data.get(key) or []

    def _rpush(self, key: Key, *values: bytes) -> int:
        kept: list[bytes] = self.data.setdefault(key, [])
        kept.extend(values)
        return len(kept)

    def _lpop(self, key: Key) -> bytes | None:
        kept = self._list(key)
        first = kept.pop(0) if kept else None
        self._drop_if_empty(key)
        return first

    def _lindex(self, key: Key, at: bytes) -> bytes | None:
        kept = self._list(key)
        return kept[int(at)] if -len(kept) <= int(at) < len(kept) else None

    def _lrange(self, key: Key, first: bytes, last: bytes) -> list[bytes]:
        return self._list(key)[int(first) : None if int(last) == -1 else int(last) + 1]

    # ---------------------------------------------------------------- channels
    def _tell(self, channel: bytes, message: bytes) -> int:
        return self._publish(channel, message)

    def _pubsub(self, _numsub: bytes, *channels: bytes) -> list[bytes | int]:
        return [item for channel in channels for item in (channel, self._listeners(channel))]


_NAMES = [
    "del",
    "exists",
    "get",
    "hdel",
    "hexists",
    "hget",
    "hgetall",
    "hincrby",
    "hincrbyfloat",
    "hkeys",
    "hlen",
    "hmget",
    "hset",
    "hvals",
    "info",
    "lindex",
    "llen",
    "lpop",
    "lrange",
    "persist",
    "pexpire",
    "pubsub",
    "rpush",
    "set",
    "time",
    "zadd",
    "zcard",
    "zlexcount",
    "zrange",
    "zrangebylex",
    "zrangebyscore",
    "zrem",
    "zremrangebyscore",
    "zscore",
]
_SAME = {"unlink": "_del", "publish": "_tell", "llen": "_hlen", "zcard": "_hlen"}
_COMMANDS: dict[bytes, Callable[..., Any]] = {
    name.upper().encode(): getattr(MemoryRedis, _SAME.get(name, f"_{name}")) for name in [*_NAMES, *_SAME]
}
