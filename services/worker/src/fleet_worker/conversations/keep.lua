-- Renews a turn's right to its conversation.
-- ARGV  4 lease in ms
-- Reply held | lost
if not mine then return 'lost' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'lease', string.format('%.0f', now + ARGV[4]))
return 'held'
