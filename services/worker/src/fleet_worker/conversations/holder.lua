-- What those who have a conversation share: whether they still have it, and giving it free.
-- KEYS  1 record (hash), 2 turns (list), 3 this turn's answer (string)
-- ARGV  1 turn, 2 fence, 3 what is told to who waits, then what each script takes beside
local known = redis.call('HMGET', KEYS[1], 'turn', 'fence', 'version', 'waiting')
local mine = known[1] == ARGV[1] and tonumber(known[2]) == tonumber(ARGV[2])

local function give_free()
  redis.call('HSET', KEYS[1], 'turn', '', 'fence', '0', 'lease', '0')
  tell_who_waits(KEYS[1], known[4] or '', ARGV[3])
end
