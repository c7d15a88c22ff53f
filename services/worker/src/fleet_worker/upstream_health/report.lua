-- Notes how a call ended. Follows circuit.lua.
-- KEYS: model's circuit, ended calls (zset: id by time), failures among them (the same), retry bucket (hash),
--       which circuits are open (zset: name by time)
-- ARGV: call id, 'well' or 'ill' or 'none', 1 for a probe, credit, size of the bucket, ms of the window,
--       least calls, share of failures, ms open, longest ms open, the circuit's name among those that are open
-- Returns '', 'opened', 'reopened' or 'closed'. Told twice, it counts once: by the id among the ended calls.
local LISTED_MS = 24 * KEPT_MS
local now = now_ms()
local circuit, ended, failed, bucket = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local call, sign = ARGV[1], ARGV[2]
local window_ms = tonumber(ARGV[6])
local open_ms, longest_ms = tonumber(ARGV[9]), tonumber(ARGV[10])
local is_open = redis.call('EXISTS', circuit) == 1

local function forget()
  redis.call('DEL', ended, failed)
end

-- Whoever looks finds out which of them is still there: a circuit that nobody probes any more ends by itself.
local function open_listed(code)
  redis.call('ZADD', KEYS[5], now, ARGV[11])
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - LISTED_MS)
  redis.call('PEXPIRE', KEYS[5], LISTED_MS)
  return open_circuit(circuit, open_ms, longest_ms, code, now)
end

if ARGV[3] == '1' then
  if not is_open then return '' end
  if sign == 'well' then
    redis.call('DEL', circuit)
    redis.call('ZREM', KEYS[5], ARGV[11])
    forget()
    return 'closed'
  end
  if redis.call('HGET', circuit, 'probe') ~= call then return '' end
  if sign == 'none' then
    redis.call('HDEL', circuit, 'probe', 'probe_until')
    return ''
  end
  return open_listed(redis.call('HGET', circuit, 'code') or '')
end

if sign == 'none' or is_open then return '' end
local new = redis.call('ZADD', ended, now, call) == 1
if new and tonumber(ARGV[4]) > 0 then
  local size = tonumber(ARGV[5])
  local tokens = tonumber(redis.call('HGET', bucket, 'tokens') or ARGV[5])
  redis.call('HSET', bucket, 'tokens', math.min(size, tokens + tonumber(ARGV[4])))
end
if new and sign == 'ill' then redis.call('ZADD', failed, now, call) end
for _, key in ipairs({ended, failed}) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window_ms)
  redis.call('PEXPIRE', key, window_ms * 2)
end
local calls = redis.call('ZCARD', ended)
if calls < tonumber(ARGV[7]) or redis.call('ZCARD', failed) < tonumber(ARGV[8]) * calls then return '' end
forget()
return open_listed('')
