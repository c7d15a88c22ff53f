-- Has a conversation to oneself for one turn, if nobody else has it.
-- KEYS  1 record (hash), 2 turns (list), 3 this turn's answer (string)
-- ARGV  1 turn, 2 fence, 3 lease in ms, 4 how long a conversation is kept in ms, 5 channel to be told,
--       6 how many who wait are told, 7 version that it must have (or empty)
-- Reply {answered, body or nil} | {lost} | {busy, ms left} | {differs, version}
--       | {taken, version, first, system, {turn, turn ...}}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole(number) return string.format('%.0f', number) end

local answer = redis.call('GET', KEYS[3])
if answer then return {'answered', answer} end
if redis.call('HEXISTS', KEYS[1], 'has:' .. ARGV[1]) == 1 then return {'answered', false} end

local known = redis.call('HMGET', KEYS[1], 'turn', 'fence', 'lease', 'version', 'first', 'system', 'waiting')
local turn, fence, lease = known[1] or '', tonumber(known[2] or 0), tonumber(known[3] or 0)
local version = known[4] or '0'

if turn == ARGV[1] then
  if fence > tonumber(ARGV[2]) then return {'lost'} end
elseif turn ~= '' and lease > now then
  note_who_waits(KEYS[1], known[7] or '', ARGV[5], tonumber(ARGV[6]))
  return {'busy', whole(lease - now)}
end
if ARGV[7] ~= '' and ARGV[7] ~= version then return {'differs', version} end

redis.call('HSET', KEYS[1], 'turn', ARGV[1], 'fence', ARGV[2], 'lease', whole(now + ARGV[3]), 'version', version)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {'taken', version, known[5] or '1', known[6] or '', redis.call('LRANGE', KEYS[2], 0, -1)}
