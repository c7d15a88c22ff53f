-- Gives a request back that its owner does not have in hand: rules.disown, in the store.
-- KEYS  1 record (hash)
-- ARGV  1 owner, 2 fence and 3 lease as it saw them, 4 what is told to who waits
-- Reply held | lost | ended
local known = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'lease', 'digest', 'waiting')
if known[4] then return 'ended' end
local owned = (known[1] or '') ~= '' and known[1] == ARGV[1]
local same = tonumber(known[2] or 0) == tonumber(ARGV[2]) and tonumber(known[3] or 0) == tonumber(ARGV[3])
if not (owned and same) then return 'lost' end
redis.call('HSET', KEYS[1], 'owner', '', 'lease', '0')
tell_who_waits(KEYS[1], known[5] or '', ARGV[4])
return 'held'
