-- Calls in flight, and the workers who make them.
local LOOK_MS = 500
-- Longer than a beat: whoever lost only its subscription says within that time that it lives.
local SURE_MS = BEAT + 500

local function renew_membership()
  call('ZADD', MEMBERS, now + LEASE, worker)
  call('HDEL', STATE, 'gone|' .. worker)
end
local function count(field, by)
  local n = call('HINCRBY', STATE, field, by)
  if n <= 0 then call('HDEL', STATE, field) end
  return n
end
local function add_lease(id, tenant, lane, tokens, worst, owner, since)
  call('HSET', HELD, id, table.concat({tenant, lane, tokens, worst, exact(since), owner}, '|'))
  call('ZADD', LEASES, 0, id)
  if count('n', 1) == 1 then call('HSET', META, 'open|' .. pool, now) end
  count('n|' .. lane, 1)
  count('t|' .. tenant, 1)
  reserve_money(tenant, tonumber(worst))
end
-- Where a tenant begins in its lane: behind what it was served already. One that was not here for a while comes
-- ahead of those that were by some calls, so that its next few need not wait their turn.
local CREDIT = 4
local function start_tag(lane, flow)
  local known = call('HMGET', STATE, 'v|' .. lane, 'mean')
  local credit = CREDIT * (number(known[2]) or 0)
  return max((number(known[1]) or 0) - credit, number(call('ZSCORE', FINISH, flow)) or 0)
end
-- What a tenant's own limit held back may go on.
local function unblock(tenant)
  for lane, flows in pairs(FLOWS) do
    local flow = lane .. '|' .. tenant
    if call('ZREM', BLOCKED, flow) == 1 then call('ZADD', flows, exact(start_tag(lane, flow)), tenant) end
  end
end
-- `spent`: nano-dollars, or nil where nobody knows: then the worst case stays charged.
local function drop_lease(id, spent)
  local info = call('HGET', HELD, id)
  if not info then return nil end
  local tenant, lane, tokens, worst, since, owner = unpack(split(info))
  call('HDEL', HELD, id)
  call('ZREM', LEASES, id)
  if count('n', -1) <= 0 then call('HDEL', META, 'open|' .. pool) end
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
local function drop_ticket(id)
  local info = call('HGET', TICKETS, id)
  if not info then return false end
  local tenant, lane, _, _, seq = unpack(split(info))
  call('HDEL', TICKETS, id)
  call('ZREM', LEASES, '~' .. id)
  call('ZREM', QUEUE, lane .. '|' .. tenant .. '|' .. seq .. id)
  return true
end
local function tickets_of(owner)
  local named = call('ZRANGEBYLEX', LEASES, '[~' .. owner .. '.', '(~' .. owner .. '/')
  for i, name in ipairs(named) do named[i] = string.sub(name, 2) end
  return named
end
-- Its worker may live after all: then it comes back for it with its next beat.
local function take_away(id)
  if not drop_lease(id, nil) then return 0 end
  call('ZADD', RATES, now + LONGEST, 'taken|' .. id)
  return 1
end
local function drop_worker(owner)
  local ended = 0
  for _, id in ipairs(leases_of(owner)) do ended = ended + take_away(id) end
  if ended > 0 then call('HINCRBY', STATE, 'expired', ended) end
  for _, id in ipairs(tickets_of(owner)) do drop_ticket(id) end
  call('ZREM', MEMBERS, owner)
  call('HDEL', STATE, 'gone|' .. owner)
end
-- A worker that listens but does not beat is frozen or cut off on its side: its calls may run on, so its leases
-- stay as long as a call may. One that does not listen either, twice a second apart, is dead.
local function judge_silent(owner)
  local left = 0
  for _, id in ipairs(leases_of(owner)) do
    local since = number(split(call('HGET', HELD, id))[5])
    if now - since > LONGEST then take_away(id) else left = left + 1 end
  end
  if left == 0 then return drop_worker(owner) end
  -- It may live and have nothing here: what it left may have come to the store too late, or never.
  call('PUBLISH', channels .. owner, '?' .. pool)
end
-- Nobody looked for longer than a living worker is silent: the store stood still, or nobody was there. Who could
-- not beat gets the time to do so.
local function forgive(members)
  for i = 1, #members, 2 do
    call('HDEL', STATE, 'gone|' .. members[i])
    if tonumber(members[i + 1]) < now + GRACE then call('ZADD', MEMBERS, now + GRACE, members[i]) end
  end
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
  local swept = number(call('HGET', STATE, 'swept')) or 0
  if now < quiet_until or now - swept < LOOK_MS then return end
  call('HSET', STATE, 'swept', now)
  local members, named = call('ZRANGE', MEMBERS, 0, 499, 'WITHSCORES'), {}
  if #members == 0 then return end
  if now - swept > GRACE then return forgive(members) end
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
-- A script that the store gave up in the middle may leave the counts behind.
local function recount()
  if call('HLEN', HELD) == (number(call('HGET', STATE, 'n')) or 0) then return end
  for _, field in ipairs(call('HKEYS', STATE)) do
    if field == 'n' or string.match(field, '^[nt]|') then call('HDEL', STATE, field) end
  end
  for _, info in ipairs(call('HVALS', HELD)) do
    local tenant, lane = unpack(split(info))
    count('n', 1)
    count('n|' .. lane, 1)
    count('t|' .. tenant, 1)
  end
end
