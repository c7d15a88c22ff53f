-- ARGV from 18: id  outcome (answered | full | rated | busy | other)  tokens used or -1  nano-dollars or -1
--   number in the refusal or 0  cool-down in ms  field of the usage (tenant|model)  input tokens  of them from the cache
--   output tokens  pause in ms if the provider is overloaded more than now and then
-- KEYS 16: usage of the day, for reports
-- Asked twice it changes nothing: the second time there is no lease to give back.
-- Answers the limit, and what the tenant has spent by now as pairs of a field of the money and nano-dollars.
local id, outcome, tokens, spent = ARGV[18], ARGV[19], tonumber(ARGV[20]), tonumber(ARGV[21])
local told, cool_ms = tonumber(ARGV[22]), tonumber(ARGV[23])
local lease = drop_lease(id, spent >= 0 and spent or nil)
local since = lease and lease.since or 0
-- A store that forgot knows the lease no more, and the call must be paid for; once, however often it is told.
local forgotten = not lease and now - boot < LEASE
  and call('ZADD', RATES, 'NX', exact(now + LONGEST), 'settled|' .. id) == 1
if forgotten and ARGV[24] ~= '' then settle_money(string.match(ARGV[24], '^(.-)|'), 0, max(0, spent), now) end
local settled = spent_by_now
if lease then
  local used = tokens >= 0 and tokens or lease.tokens
  local more = used - lease.tokens
  if more ~= 0 then
    settle_rates(lease.tenant, more, since)
    local flow = lease.lane .. '|' .. lease.tenant
    local finish = number(call('ZSCORE', FINISH, flow))
    -- Fairness sees what was really used.
    if finish then call('ZADD', FINISH, exact(finish + more / limits_of(lease.tenant).weight), flow) end
    local tag = number(call('ZSCORE', FLOWS[lease.lane], lease.tenant))
    if tag then
      call('ZADD', FLOWS[lease.lane], exact(tag + more / limits_of(lease.tenant).weight), lease.tenant)
    end
  end
  local field = ARGV[24]
  if field ~= '' then
    call('HINCRBY', USAGE, field .. '|calls', 1)
    call('HINCRBY', USAGE, field .. '|input', ARGV[25])
    call('HINCRBY', USAGE, field .. '|cached', ARGV[26])
    call('HINCRBY', USAGE, field .. '|output', ARGV[27])
    call('HINCRBY', USAGE, field .. '|nano', exact(spent >= 0 and spent or lease.worst))
    call('PEXPIRE', USAGE, 62 * 86400000)
  end
end
if outcome == 'answered' and lease then
  note_busy(0)
  learn_from_answer(since)
  local took = number(call('HGET', STATE, 'took'))
  call('HSET', STATE, 'took', exact(took and took * 0.95 + (now - since) * 0.05 or now - since))
elseif outcome == 'full' then
  learn_from_refusal(since, told)
elseif outcome == 'busy' and lease then
  note_busy(1)
  learn_from_overload(tonumber(ARGV[28]))
end
cool_down(cool_ms)
return answer(lease and 'released' or 'unknown', dispatch(nil), ceiling(), settled)
