-- Who waits: first come first served inside a tenant, weighted fair between tenants in tokens, and between the
-- lanes by fixed weights, so that interactive goes first and batch is never starved.
local LANE_WEIGHT = {interactive = 9, batch = 1}
local MOST_GRANTS = 200
-- Where tenants come who had less than the others, and found everything taken, one slot in so many is kept for the
-- next of them: they wait for nobody.
local GUARDED_FROM, GUARDED_MS = 20, 60000
local function is_owed(lane, tag)
  return lane == 'interactive' and tag < (number(call('HGET', STATE, 'v|' .. lane)) or 0)
end
local function guarded(slots)
  return slots >= GUARDED_FROM and now - (number(call('HGET', STATE, 'owed')) or 0) < GUARDED_MS
end

local function ahead_in_flow(flow, member)
  return call('ZLEXCOUNT', QUEUE, '[' .. flow .. '|', '(' .. member)
end
local function head_of(flow)
  return call('ZRANGEBYLEX', QUEUE, '[' .. flow .. '|', '(' .. flow .. '}', 'LIMIT', 0, 1)[1]
end
local function wake_flow(lane, tenant)
  local flow = lane .. '|' .. tenant
  if call('ZSCORE', FLOWS[lane], tenant) or call('ZSCORE', BLOCKED, flow) then return end
  if call('ZCARD', FLOWS[lane]) == 0 then
    -- A lane that had nothing to do has no claim on the time it was away.
    local used = call('HMGET', STATE, 'used|interactive', 'used|batch', 'used')
    local own = number(used[lane == 'interactive' and 1 or 2]) or 0
    call('HSET', STATE, 'used|' .. lane, exact(max(own, number(used[3]) or 0)))
  end
  local tag = start_tag(lane, flow)
  call('ZADD', FLOWS[lane], exact(tag), tenant)
  if is_owed(lane, tag) and in_flight() >= grantable() - 1 then call('HSET', STATE, 'owed', now) end
end
local function enqueue(id, tenant, lane, tokens, worst)
  local seq = string.format('%015d', call('HINCRBY', STATE, 'seq', 1))
  call('HSET', TICKETS, id, table.concat({tenant, lane, tokens, worst, seq, worker}, '|'))
  call('ZADD', LEASES, 0, '~' .. id)
  call('ZADD', QUEUE, 0, lane .. '|' .. tenant .. '|' .. seq .. id)
  wake_flow(lane, tenant)
end
local function position(id)
  local tenant, lane, _, _, seq = unpack(split(call('HGET', TICKETS, id)))
  return ahead_in_flow(lane .. '|' .. tenant, lane .. '|' .. tenant .. '|' .. seq .. id)
end

local granted_to_caller = false
local function hold_back(lane, tenant, at)
  call('ZREM', FLOWS[lane], tenant)
  call('ZADD', BLOCKED, at, lane .. '|' .. tenant)
end
local function advance(lane, tenant, tag, cost)
  local flow = lane .. '|' .. tenant
  local finish = tag + cost / limits_of(tenant).weight
  local known = call('HMGET', STATE, 'v|' .. lane, 'mean', 'used|' .. lane)
  local virtual = exact(max(number(known[1]) or 0, tag))
  call('ZADD', FINISH, exact(finish), flow)
  if cost > 0 then
    local mean, used = number(known[2]) or cost, exact((number(known[3]) or 0) + cost / LANE_WEIGHT[lane])
    mean = exact(mean + 0.05 * (cost - mean))
    call('HSET', STATE, 'v|' .. lane, virtual, 'mean', mean, 'used|' .. lane, used, 'used', used)
  else
    call('HSET', STATE, 'v|' .. lane, virtual)
  end
  if head_of(flow) then call('ZADD', FLOWS[lane], exact(finish), tenant) else call('ZREM', FLOWS[lane], tenant) end
end
-- Looks at one flow's head. 'granted' and 'skipped' mean that its lane is worth another look, a number of ms
-- that the whole pool has to wait.
local function serve(lane, tenant, tag, caller)
  local flow = lane .. '|' .. tenant
  local member = head_of(flow)
  if not member then
    call('ZREM', FLOWS[lane], tenant)
    return 'skipped'
  end
  local id = string.sub(member, #flow + 17)
  local info = call('HGET', TICKETS, id)
  local _, _, tokens, worst, _, owner = unpack(info and split(info) or {})
  -- A worker that stopped beating is dead or frozen: one that lives states again what waits.
  if not info or (number(call('ZSCORE', MEMBERS, owner)) or 0) <= now then
    if not drop_ticket(id) then call('ZREM', QUEUE, member) end
    return 'skipped'
  end
  local wait = rate_wait(tonumber(tokens))
  if wait > 0 then return wait end
  local own = limits_of(tenant)
  if own.concurrency and (number(call('HGET', STATE, 't|' .. tenant)) or 0) >= own.concurrency then
    hold_back(lane, tenant, '+inf')
    return 'skipped'
  end
  local tenant_wait = tenant_rate_wait(tenant, tonumber(tokens))
  if tenant_wait > 0 then
    hold_back(lane, tenant, exact(now + tenant_wait))
    return 'skipped'
  end
  local verdict = budget(tenant, tonumber(worst))
  if verdict == 'waits' then
    -- What is reserved may be settled in another pool, which can't tell this one.
    hold_back(lane, tenant, exact(now + 1000))
    return 'skipped'
  end
  local sign = verdict == 'never' and '-' or '+'
  local heard = id == caller or call('PUBLISH', channels .. owner, sign .. id .. ' ' .. run) > 0
  drop_ticket(id)
  if sign == '-' or not heard then
    advance(lane, tenant, tag, 0)
    return 'skipped'
  end
  add_lease(id, tenant, lane, tokens, worst, owner, now)
  charge_rates(tenant, tonumber(tokens))
  advance(lane, tenant, tag, tonumber(tokens))
  if id == caller then granted_to_caller = true end
  return 'granted'
end
local function lanes_in_turn()
  local used = call('HMGET', STATE, 'used|interactive', 'used|batch')
  if (number(used[2]) or 0) < (number(used[1]) or 0) then return {'batch', 'interactive'} end
  return {'interactive', 'batch'}
end
local function may_serve(lane, slots)
  if lane == 'interactive' then return true end
  return (number(call('HGET', STATE, 'n|batch')) or 0) < max(1, floor(slots * (1 - RESERVE)))
end
-- Grants what can be granted. Answers in how many ms it is worth looking again, nil where a release will tell.
local function grant_what_can_be(caller)
  if now < quiet_until then return quiet_until - now end
  local cool = number(call('HGET', STATE, 'cool')) or 0
  if cool > now then return cool - now end
  for _, flow in ipairs(call('ZRANGEBYSCORE', BLOCKED, '-inf', now)) do
    unblock(string.match(flow, '|(.*)$'))
  end
  local slots, looks = grantable(), 0
  local n, kept = in_flight(), guarded(slots) and 1 or 0
  while n < slots and looks < MOST_GRANTS do
    looks = looks + 1
    local served = false
    for _, lane in ipairs(lanes_in_turn()) do
      local first = call('ZRANGE', FLOWS[lane], 0, 0, 'WITHSCORES')
      local turn = first[1] and may_serve(lane, slots)
      if turn and (n < slots - kept or is_owed(lane, tonumber(first[2]))) then
        local outcome = serve(lane, first[1], tonumber(first[2]), caller)
        if type(outcome) == 'number' then return outcome end
        if outcome == 'granted' then n = n + 1 end
        served = true
        break
      end
    end
    if not served then
      local next = call('ZRANGE', BLOCKED, 0, 0, 'WITHSCORES')[2]
      if next and next ~= 'inf' then return max(1, tonumber(next) - now) end
      return nil
    end
  end
  if looks >= MOST_GRANTS then return 1 end
  return nil
end
local function dispatch(caller)
  end_grace_early()
  sweep()
  local next_ms = grant_what_can_be(caller)
  if look_at_the_dead and call('HLEN', TICKETS) > 0 then return min(next_ms or look_at_the_dead, look_at_the_dead) end
  return next_ms
end
-- One worker of the pool looks again when it is time; the others hear of it by what it grants.
local function timer(next_ms)
  if not next_ms then
    call('HDEL', STATE, 'timer', 'timer_owner')
    return -1
  end
  local at = now + math.ceil(next_ms)
  local known = call('HMGET', STATE, 'timer', 'timer_owner')
  local set_for, owner = number(known[1]), known[2]
  if set_for and owner ~= worker and set_for > now - 50 and set_for <= at and call('ZSCORE', MEMBERS, owner) then
    return -1
  end
  call('HSET', STATE, 'timer', at, 'timer_owner', worker)
  return at - now
end
local function answer(word, next_ms, ...)
  return {word, timer(next_ms), boot, version, max(0, quiet_until - now), ...}
end
