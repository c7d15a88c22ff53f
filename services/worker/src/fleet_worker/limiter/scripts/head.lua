-- What every script of the limiter begins with.
--
-- KEYS of the whole limiter: 1 meta  2 config  3 money  4 workers
-- KEYS of one pool: 5 state  6 members  7 leases  8 held  9 flows of interactive  10 flows of batch
--                   11 queue  12 tickets  13 blocked  14 finish  15 rates
-- ARGV: 1 worker  2 prefix of the workers' channels  3 run of the server, as the worker's connection saw it
--       4 1 where that worker has seen another run before, else 0  5 the pool's name
--       6 concurrency  7 requests a minute or 0  8 tokens a minute or 0  9 first limit of a pool never tried
--       10 window ms  11 burst ms  12 lease ms  13 beat ms  14 grace ms  15 longest call ms
--       16 share of the slots that batch leaves free  17 slots each worker keeps for when the store is away
-- Each script's own arguments follow from 18 on.
--
-- meta     hash  run, boot (since when this store is known), early (the grace may end early), over (it
--                did), version, day;
--                pool|<pool> last beat in it; open|<pool> the same while a call of it is in flight
-- config   hash  pool|<pool>|<limit>, tenant|<tenant or *>|<limit>, reserve: what operators set
-- money    hash  d|<day>|<tenant>, m|<month>|<tenant> spent; r|<tenant> reserved; in nano-dollars
--                g|<boot>|<one of the first two> of it since a store forgot and until its grace ends
-- workers  zset  worker -> when it is forgotten
-- state    hash  n, n|<lane>, n|<tenant> calls in flight; what was learned; virtual times; the timer's owner
-- members  zset  worker with leases or tickets in this pool -> when they end without a beat
-- leases   zset  lease id and ~ticket id, all of score 0: what a worker has is one lexicographic range of each
-- held     hash  lease id -> tenant|lane|tokens|worst|since|worker
-- flows    zset  tenant with something to grant -> its start tag (start-time fair queueing, in tokens)
-- queue    zset  lane|tenant|seq id, all of score 0: first come first served inside a flow
-- tickets  hash  id -> tenant|lane|tokens|worst|seq|worker
-- blocked  zset  lane|tenant that its own limits hold back -> when to look again
-- finish   zset  lane|tenant -> finish tag of its last grant
-- rates    zset  limit -> theoretical arrival time in ms (generic cell rate algorithm)
--                taken|<lease id> -> until when a worker that was taken for dead may come back for it
--                settled|<lease id> -> until when it is known that a call was paid for that had no lease
local META, CONFIG, MONEY, WORKERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local STATE, MEMBERS, LEASES, HELD = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local FLOWS = {interactive = KEYS[9], batch = KEYS[10]}
local QUEUE, TICKETS, BLOCKED, FINISH, RATES = KEYS[11], KEYS[12], KEYS[13], KEYS[14], KEYS[15]
local USAGE = KEYS[16]

local worker, channels, run, changed, pool = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local START = tonumber(ARGV[9])
local WINDOW, BURST = tonumber(ARGV[10]), tonumber(ARGV[11])
local LEASE, BEAT, GRACE, LONGEST = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])
local SPARE = tonumber(ARGV[17])

local call, floor, max, min = redis.call, math.floor, math.max, math.min
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local COMMON = channels .. '*'

local function number(text) return text and tonumber(text) or nil end
local function exact(value) return string.format('%.17g', value) end
local function split(text)
  local parts = {}
  for part in string.gmatch(text .. '|', '([^|]*)|') do parts[#parts + 1] = part end
  return parts
end

-- A store that is empty, was restarted or is another node grants nothing until every worker has had the time
-- to state what it still has running.
local function uptime()
  local seconds = string.match(call('INFO', 'server'), 'uptime_in_seconds:(%d+)')
  return seconds and seconds * 1000 or 0
end
local meta = call('HMGET', META, 'run', 'boot', 'early', 'version', 'over')
local boot, early, version, over = number(meta[2]), meta[3] == '1', number(meta[4]) or 0, meta[5] == '1'
if meta[1] ~= run or (early and changed == '1') then
  -- Up for longer than a grace and unknown to everybody who asks: flushed, or used for the first time. Whoever
  -- is connected is asked to state what it holds, and when all have done so the grace is over.
  early = not meta[1] and changed == '0' and uptime() >= GRACE
  boot, over = now, false
  call('HSET', META, 'run', run, 'boot', now, 'early', early and 1 or 0, 'over', 0)
  call('PUBLISH', COMMON, '?')
end
local quiet_until = over and 0 or boot + GRACE
local function end_grace_early()
  if early and now < quiet_until then
    local listening = call('PUBSUB', 'NUMSUB', COMMON)[2]
    if call('ZCARD', WORKERS) >= listening then
      quiet_until = now
      call('HSET', META, 'over', 1)
    end
  end
end

-- What operators set goes before what the workers were started with.
local set = call('HMGET', CONFIG, 'pool|' .. pool .. '|concurrency', 'pool|' .. pool .. '|rpm',
  'pool|' .. pool .. '|tpm', 'reserve')
local function limit(value, default)
  local chosen = number(value) or number(default)
  if chosen and chosen > 0 then return chosen end
end
local CONCURRENCY = limit(set[1], ARGV[6]) or 1
local RPM, TPM = limit(set[2], ARGV[7]), limit(set[3], ARGV[8])
local RESERVE = number(set[4]) or number(ARGV[16])

local NAMES = {'weight', 'concurrency', 'rpm', 'tpm', 'day', 'month'}
local known_tenants = {}
local function settings_of(tenant)
  local fields = {}
  for i, name in ipairs(NAMES) do fields[i] = 'tenant|' .. tenant .. '|' .. name end
  return call('HMGET', CONFIG, unpack(fields))
end
local function limits_of(tenant)
  local known = known_tenants[tenant]
  if known then return known end
  known = {weight = 1}
  if version > 0 then
    local own, all = settings_of(tenant), settings_of('*')
    for i, name in ipairs(NAMES) do known[name] = limit(own[i], all[i]) end
    known.weight = known.weight or 1
  end
  known_tenants[tenant] = known
  return known
end
