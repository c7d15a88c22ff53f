"""What the limiter is compared with: a polled script, a share for each worker, and a bare PING."""

import asyncio
import secrets

from fleet_chassis.store import RedisStore, Script
from fleet_worker.completion import Completion, CompletionError
from fleet_worker.deadline import Deadline
from fleet_worker.request import Request

_TAKE = Script("""
local now = redis.call('TIME')[1] * 1
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 15)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[1])
return 1
""")
_GIVE = Script("return redis.call('ZREM', KEYS[1], ARGV[1])")
POLL_S = 0.05


class Polling:
    """Leases in a sorted set, and whoever finds none asks again."""

    def __init__(self, store: RedisStore, limit: int) -> None:
        self._store = store
        self._limit = limit

    async def acquire(self, request: Request, deadline: Deadline) -> "Polled":
        """Take a permit, or ask again."""
        del request, deadline
        name = secrets.token_hex(6)
        while not await self._store.run(_TAKE, ["bench:polling"], [name, self._limit]):  # noqa: ASYNC110 - to poll is what it is here for
            await asyncio.sleep(POLL_S)
        return Polled(self._store, name)


class Polled:
    """A lease."""

    def __init__(self, store: RedisStore, name: str) -> None:
        self._store = store
        self._name = name

    def release(self, ended: Completion | CompletionError | None) -> None:
        """Give it back."""
        del ended
        self._given = asyncio.create_task(self._store.run(_GIVE, ["bench:polling"], [self._name]))


class LocalShare:
    """A fixed part of the limit for each process, first come first served."""

    def __init__(self, share: int) -> None:
        self._slots = asyncio.Semaphore(share)

    async def acquire(self, request: Request, deadline: Deadline) -> "Shared":
        """Take one of this process's own permits."""
        del request, deadline
        await self._slots.acquire()
        return Shared(self._slots)


class Shared:
    """One of them."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self._slots = slots

    def release(self, ended: Completion | CompletionError | None) -> None:
        """Give it back."""
        del ended
        self._slots.release()


class Asking:
    """No limiter at all: the least that one question to the store can cost."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    async def acquire(self, request: Request, deadline: Deadline) -> "Asked":
        """Ask, and let everybody through."""
        del request, deadline
        await self._store.command("PING")
        return Asked()


class Asked:
    """Nothing that could be given back."""

    def release(self, ended: Completion | CompletionError | None) -> None:
        """Do nothing."""
        del ended
