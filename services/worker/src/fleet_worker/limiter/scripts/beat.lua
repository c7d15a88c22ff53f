-- A worker states what it has: everything that is missing is put back, everything too much is taken away.
-- ARGV from 18: since when the store is known, if with this beat the worker has stated all of its pools, else 0
--   1 where a lease that was taken away from a living worker is given back to it, else 0
--   operators' settings as this worker last saw them, as their version, a count and pairs
--   a count and pairs of what tenants have spent, where the store may have forgotten it
--   the number of calls in flight and for each: id tenant lane tokens worst ms since it began
--   the number of permits that it is giving back, and their ids: left as they are
--   then for each that waits: id tenant lane tokens worst
-- Answers the grants that were not heard, then for each that waits how many are before it, the limit, calls in
-- flight, slots for when the store is away, ms a call takes, tenants and tickets that wait, leases that this worker
-- has lost, and pools with calls in flight in which nobody beats.
local at = 18
local function take()
  at = at + 1
  return ARGV[at - 1]
end
local stated_since, gives_back = tonumber(take()), take() == '1'
local seen_version, pairs_given = tonumber(take()), tonumber(take())
local settings = {}
for i = 1, 2 * pairs_given do settings[i] = take() end
if seen_version > version then
  -- The store forgot what operators set; whoever remembers the newest puts it back.
  call('DEL', CONFIG)
  if pairs_given > 0 then call('HSET', CONFIG, unpack(settings)) end
  version = seen_version
  call('HSET', META, 'version', version)
end
for _ = 1, tonumber(take()) do
  local field, spent = take(), take()
  restate_money(field, tonumber(spent))
end
call('ZREMRANGEBYSCORE', WORKERS, '-inf', now)
-- Only who knew of this store's beginning when it began to state what it has can have stated all of it.
if stated_since == boot then call('ZADD', WORKERS, now + LEASE, worker) end
renew_membership()
recount()

local stated, lost = {}, {}
local function restate(id, tenant, lane, tokens, worst, since)
  local taken = call('ZREM', RATES, 'taken|' .. id) == 1
  if taken and not gives_back then
    lost[#lost + 1] = id
    return
  end
  -- Nobody knew what it would cost when it was taken away.
  if taken then settle_money(tenant, 0, -tonumber(worst), since) end
  add_lease(id, tenant, lane, tokens, worst, worker, since)
  if not taken and now - since < WINDOW then charge_rates(tenant, tonumber(tokens)) end
  call('HINCRBY', STATE, 'restated', 1)
end
for _ = 1, tonumber(take()) do
  local id, tenant, lane, tokens, worst, age = take(), take(), take(), take(), take(), take()
  stated[id] = true
  drop_ticket(id)
  if call('HEXISTS', HELD, id) == 0 then restate(id, tenant, lane, tokens, worst, now - tonumber(age)) end
end
for _ = 1, tonumber(take()) do stated[take()] = true end
local waiting, unheard = {}, {}
while at <= #ARGV do
  local id, tenant, lane, tokens, worst = take(), take(), take(), take(), take()
  stated[id] = true
  if call('HEXISTS', HELD, id) == 1 then
    unheard[#unheard + 1] = id
  else
    waiting[#waiting + 1] = id
    if call('HEXISTS', TICKETS, id) == 0 then enqueue(id, tenant, lane, tokens, worst) end
  end
end
-- What an answer that came too late had granted to nobody, and a place in line that nobody left in time.
for _, id in ipairs(leases_of(worker)) do
  if not stated[id] then drop_lease(id, 0) end
end
for _, id in ipairs(tickets_of(worker)) do
  if not stated[id] then drop_ticket(id) end
end
if (number(call('HGET', STATE, 'version')) or 0) ~= version then
  -- Operators may have raised what held somebody back.
  call('HSET', STATE, 'version', version)
  for _, flow in ipairs(call('ZRANGE', BLOCKED, 0, -1)) do unblock(string.match(flow, '|(.*)$')) end
end
call('ZREMRANGEBYSCORE', RATES, '-inf', now - WINDOW)
-- What a tenant was served that begins behind it anyway; of a lane that nobody uses, everything.
local function oldest_of_use(lane)
  if call('ZCARD', FLOWS[lane]) == 0 and not call('HGET', STATE, 'n|' .. lane) then return math.huge end
  local known = call('HMGET', STATE, 'v|' .. lane, 'mean')
  return (number(known[1]) or 0) - CREDIT * (number(known[2]) or 0)
end
local oldest = min(oldest_of_use('interactive'), oldest_of_use('batch'))
call('ZREMRANGEBYSCORE', FINISH, '-inf', oldest == math.huge and '+inf' or '(' .. exact(oldest))
forget_old_money()
local next_ms = dispatch(nil)
local ahead = {}
for i, id in ipairs(waiting) do
  if call('HEXISTS', TICKETS, id) == 1 then ahead[i] = position(id) else ahead[i] = 0 end
end
local spare = 0
if SPARE > 0 and in_flight() + SPARE * call('ZCARD', WORKERS) <= ceiling() then spare = SPARE end
call('HSET', META, 'pool|' .. pool, now)
call('HSET', STATE, 'configured', exact(CONCURRENCY), 'limit', ceiling(), 'rpm', exact(RPM or 0), 'tpm', exact(TPM or 0))
local busy = in_flight() > 0
if busy then call('HSET', META, 'open|' .. pool, now) else call('HDEL', META, 'open|' .. pool) end
for i = 5, 15 do
  -- What is held must be found again however long nobody is there: money is reserved for it.
  if busy then call('PERSIST', KEYS[i]) else call('PEXPIRE', KEYS[i], DAY) end
end
local forsaken, fields = {}, call('HGETALL', META)
for i = 1, #fields, 2 do
  local name = string.match(fields[i], '^open|(.*)$')
  if name and name ~= pool and now - tonumber(fields[i + 1]) > 3 * BEAT then forsaken[#forsaken + 1] = name end
end
return answer('beaten', next_ms, unheard, ahead, ceiling(), in_flight(), spare,
  exact(number(call('HGET', STATE, 'took')) or 0), call('ZCARD', FLOWS.interactive) + call('ZCARD', FLOWS.batch),
  call('HLEN', TICKETS), lost, forsaken)
