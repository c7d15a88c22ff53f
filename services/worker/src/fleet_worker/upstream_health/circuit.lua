-- Shared by the scripts beside it; the rules are those of circuit.py.
-- A circuit is a hash: since, until, opens, probe, probe_until, code. It is closed while there is none.
-- All times are the store's, in ms.
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local KEPT_MS = 3600000
local AFTER_PROBE_MS = 5000

-- {'go'} as usual, {'probe', 0, down ms, code}, or {'wait', ms, down ms, code}
local function admission(key, call, probe_ms, now)
  local circuit = redis.call('HMGET', key, 'since', 'until', 'probe', 'probe_until', 'code')
  if not circuit[1] then return {'go', 0, 0, ''} end
  local down, ends = now - tonumber(circuit[1]), tonumber(circuit[2])
  local code = circuit[5] or ''
  if now < ends then return {'wait', ends - now, down, code} end
  if circuit[3] and circuit[3] ~= call then
    local probe_ends = tonumber(circuit[4])
    if now < probe_ends then return {'wait', math.min(AFTER_PROBE_MS, probe_ends - now), down, code} end
  end
  redis.call('HSET', key, 'probe', call, 'probe_until', now + probe_ms)
  redis.call('PEXPIRE', key, KEPT_MS)
  return {'probe', 0, down, code}
end

local function open_circuit(key, open_ms, longest_ms, code, now)
  local circuit = redis.call('HMGET', key, 'since', 'opens')
  local opens = tonumber(circuit[2] or '0')
  local for_ms = math.min(longest_ms, open_ms * 2 ^ opens)
  redis.call('HSET', key, 'since', circuit[1] or now, 'until', now + for_ms,
    'opens', math.min(opens + 1, 30), 'code', code)
  redis.call('HDEL', key, 'probe', 'probe_until')
  redis.call('PEXPIRE', key, KEPT_MS)
  if circuit[1] then return 'reopened' end
  return 'opened'
end
