"""What a run has left behind when all is quiet: it should be nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import unquote, urlsplit

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_cli.stack.rabbitmq.broker import Broker
from fleet_contracts.topology import REQUESTS_DEAD, topology

KEPT = {"deepseek.results.unheard", REQUESTS_DEAD}
"""Holds results that nobody follows, and finished dead letters: by design."""
REPLIES = "deepseek.reply."
QUIET_S = 60.0
PAUSE_S = 0.5
ANSWER_DEADLINE_S = 10.0

COUNT = """
-- Counts in one step what nobody gave back: ARGV 1 the namespace.
local call, prefix, cursor = redis.call, ARGV[1], '0'
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left = {claims = 0, unended = 0, waiting = 0, permits = 0, leases = 0, tickets = 0, owners = 0}
local function record(key)
  if string.sub(key, -5) == ':body' then return end
  local known = call('HMGET', key, 'owner', 'digest', 'waiting', 'model')
  if (known[1] or '') ~= '' then left.claims = left.claims + 1 end
  if known[4] and not known[2] then left.unended = left.unended + 1 end
  if (known[3] or '') ~= '' then left.waiting = left.waiting + 1 end
end
local function pool(key)
  local part = string.match(key, ':([a-z]+)$')
  if part == 'held' then left.permits = left.permits + call('HLEN', key)
  elseif part == 'leases' then left.leases = left.leases + call('ZLEXCOUNT', key, '-', '(~')
  elseif part == 'tickets' then left.tickets = left.tickets + call('HLEN', key)
  elseif part == 'members' then
    for _, worker in ipairs(call('ZRANGE', key, 0, -1)) do
      local listening = call('PUBSUB', 'NUMSUB', prefix .. ':limits:' .. worker)
      if tonumber(listening[2]) == 0 then left.owners = left.owners + 1 end
    end
  end
end
repeat
  local page = call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    if string.sub(key, 1, #prefix + 9) == prefix .. ':request:' then record(key)
    elseif string.find(key, prefix .. ':{limits}:pool:', 1, true) == 1 then pool(key) end
  end
until cursor == '0'
left.permits = math.max(left.permits, left.leases)
return {left.claims, left.unended, left.waiting, left.permits, left.tickets, left.owners}
"""
NAMES = (
    "claims that are held",
    "requests begun and not ended",
    "records for which somebody waits",
    "permits",
    "tickets",
    "owners of permits that are dead",
)

Count = Callable[[], Awaitable[dict[str, int]]]


async def left_behind(counts: list[Count], quiet_s: float = QUIET_S) -> list[str]:
    """What is still there after a minute of quiet, as `name: number`; asked until all is gone."""
    left: dict[str, int] = {}
    try:
        async with asyncio.timeout(quiet_s):
            while left := await _everything(counts):  # noqa: ASYNC110 - brokers and stores can only be asked
                await asyncio.sleep(PAUSE_S)
    except TimeoutError:
        return [f"{name}: {number}" for name, number in sorted(left.items())]
    return []


async def _everything(counts: list[Count]) -> dict[str, int]:
    return {name: number for count in counts for name, number in (await count()).items() if number}


async def queue_counts(broker: Broker, url: str) -> dict[str, int]:
    """Messages in the fleet's queues and in those for replies, unacknowledged ones among them."""
    wanted = {queue.name for queue in topology().queues} - KEPT
    counts = await _all_queues(broker, url)
    return {name: count for name, count in counts.items() if name in wanted or name.startswith(REPLIES)}


async def dead_letters(broker: Broker, url: str) -> int:
    """Finished dead letters."""
    return (await _all_queues(broker, url)).get(REQUESTS_DEAD, 0)


async def _all_queues(broker: Broker, url: str) -> dict[str, int]:
    vhost = unquote(urlsplit(url).path[1:])
    listing = await broker.ctl("list_queues", "--vhost", vhost, "name", "messages")
    pairs = (line.split() for line in listing.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


async def store_counts(url: str, namespace: str = "fleet") -> dict[str, int]:
    """Claims, permits, tickets and dead owners in the store that nobody gave back."""
    async with open_store(url, ANSWER_DEADLINE_S, SystemClock()) as store:
        return dict(zip(NAMES, await store.command("EVAL", COUNT, 0, namespace), strict=True))
