-- Forgets a conversation, unless a turn has it.
-- KEYS  1 record (hash), 2 turns (list)
-- Reply {forgotten, conversations} | {taken}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'turn', 'lease')

if (known[1] or '') ~= '' and tonumber(known[2] or 0) > now then return {'taken'} end
return {'forgotten', redis.call('UNLINK', KEYS[1], KEYS[2]) > 0 and 1 or 0}
