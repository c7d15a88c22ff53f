-- Calls in flight, and the workers who make them.
local LOOK_MS, SURE_MS = 500, 1000

local function renew_membership()
  call('ZADD', MEMBERS, now + LEASE, worker)
  call('HDEL', STATE, 'gone|' .. worker)
end
local function count(field, by)
  if call('HINCRBY', STATE, field, by) <= 0 then call('HDEL', STATE, field) end
end
local function add_lease(id, tenant, lane, tokens, worst, owner, since)
  call('HSET', HELD, id, table.concat({tenant, lane, tokens, worst, exact(since), owner}, '|'))
  call('ZADD', LEASES, 0, id)
  count('n', 1)
  count('n|' .. lane, 1)
  count('t|' .. tenant, 1)
  reserve_money(tenant, tonumber(worst))
end
-- What a tenant's own limit held back may go on.
local function unblock(tenant)
  for lane, flows in pairs(FLOWS) do
    local flow = lane .. '|' .. tenant
    if call('ZREM', BLOCKED, flow) == 1 then
      local tag = max(number(call('HGET', STATE, 'v|' .. lane)) or 0, number(call('ZSCORE', FINISH, flow)) or 0)
      call('ZADD', flows, exact(tag), tenant)
    end
  end
end
-- `spent`: nano-dollars, or nil where nobody knows: then the worst case stays charged.
local function drop_lease(id, spent)
  local info = call('HGET', HELD, id)
  if not info then return nil end
  local tenant, lane, tokens, worst, since, owner = unpack(split(info))
  call('HDEL', HELD, id)
  call('ZREM', LEASES, id)
  count('n', -1)
  count('n|' .. lane, -1)
  count('t|' .. tenant, -1)
  settle_money(tenant, tonumber(worst), spent or tonumber(worst), tonumber(since))
  unblock(tenant)
  return {tenant = tenant, lane = lane, tokens = tonumber(tokens), worst = tonumber(worst),
    since = tonumber(since), owner = owner}
end
local function leases_of(owner)
  return call('ZRANGEBYLEX', LEASES, '[' .. owner .. '.', '(' .. owner .. '/')
end
local function drop_worker(owner)
  local ended = 0
  for _, id in ipairs(leases_of(owner)) do
    if drop_lease(id, nil) then ended = ended + 1 end
  end
  if ended > 0 then call('HINCRBY', STATE, 'expired', ended) end
  call('ZREM', MEMBERS, owner)
  call('HDEL', STATE, 'gone|' .. owner)
end
-- A worker that listens but does not beat is frozen or cut off on its side: its calls may run on, so its leases
-- stay as long as a call may. One that does not listen either, twice a second apart, is dead.
local function judge_silent(owner)
  local left = 0
  for _, id in ipairs(leases_of(owner)) do
    local since = number(split(call('HGET', HELD, id))[5])
    if now - since > LONGEST then drop_lease(id, nil) else left = left + 1 end
  end
  if left == 0 then drop_worker(owner) end
end
local look_at_the_dead
local function judge_deaf(owner, ends)
  local gone = number(call('HGET', STATE, 'gone|' .. owner))
  if ends <= now or (gone and now - gone >= SURE_MS) then
    drop_worker(owner)
  else
    look_at_the_dead = SURE_MS + 10
    if not gone then call('HSET', STATE, 'gone|' .. owner, now) end
  end
end
local function sweep()
  if now < quiet_until or now - (number(call('HGET', STATE, 'swept')) or 0) < LOOK_MS then return end
  call('HSET', STATE, 'swept', now)
  local members, named = call('ZRANGE', MEMBERS, 0, 499, 'WITHSCORES'), {}
  if #members == 0 then return end
  for i = 1, #members, 2 do named[#named + 1] = channels .. members[i] end
  local listening = call('PUBSUB', 'NUMSUB', unpack(named))
  for i = 1, #members, 2 do
    local owner, ends = members[i], tonumber(members[i + 1])
    if tonumber(listening[i + 1]) == 0 then judge_deaf(owner, ends)
    else
      if call('HEXISTS', STATE, 'gone|' .. owner) == 1 then call('HDEL', STATE, 'gone|' .. owner) end
      if ends <= now then judge_silent(owner) end
    end
  end
end
