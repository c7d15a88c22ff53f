-- A worker states what it has: everything that is missing is put back, everything too much is taken away.
-- ARGV from 18: operators' settings as this worker last saw them, as their version, a count and pairs
--   then the number of calls in flight and for each: id tenant lane tokens worst ms since it began
--   then for each that waits: id tenant lane tokens worst
-- Answers the grants that were not heard, then for each that waits how many are before it.
local at = 18
local function take()
  at = at + 1
  return ARGV[at - 1]
end
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
call('ZREMRANGEBYSCORE', WORKERS, '-inf', now)
call('ZADD', WORKERS, now + LEASE, worker)
renew_membership()

local stated = {}
for _ = 1, tonumber(take()) do
  local id, tenant, lane, tokens, worst, age = take(), take(), take(), take(), take(), take()
  stated[id] = true
  drop_ticket(id)
  if call('HEXISTS', HELD, id) == 0 then
    add_lease(id, tenant, lane, tokens, worst, worker, now - tonumber(age))
    if tonumber(age) < WINDOW then charge_rates(tenant, tonumber(tokens)) end
    call('HINCRBY', STATE, 'restated', 1)
  end
end
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
-- What an answer that came too late had granted to nobody.
for _, id in ipairs(leases_of(worker)) do
  if not stated[id] then drop_lease(id, 0) end
end
call('ZREMRANGEBYSCORE', RATES, '-inf', now)
call('ZREMRANGEBYSCORE', FINISH, '-inf', '(' .. exact(min(
  number(call('HGET', STATE, 'v|interactive')) or 0, number(call('HGET', STATE, 'v|batch')) or 0)))
forget_old_money()
local next_ms = dispatch(nil)
local ahead = {}
for i, id in ipairs(waiting) do
  if call('HEXISTS', TICKETS, id) == 1 then ahead[i] = position(id) else ahead[i] = 0 end
end
local spare = 0
if SPARE > 0 and in_flight() + SPARE * call('ZCARD', WORKERS) <= ceiling() then spare = SPARE end
call('HSET', META, 'pool|' .. pool, now)
call('HSET', STATE, 'configured', CONCURRENCY, 'limit', ceiling())
for i = 5, 15 do call('PEXPIRE', KEYS[i], DAY) end
return answer('beaten', next_ms, unheard, ahead, ceiling(), in_flight(), spare,
  exact(number(call('HGET', STATE, 'took')) or 0), call('ZCARD', FLOWS.interactive) + call('ZCARD', FLOWS.batch),
  call('HLEN', TICKETS))
