-- Forgets all of a conversation but its version, once.
-- ARGV  4 how long a conversation is kept in ms, 5 its new version, 6 answer, 7 how long the answer is kept in ms
-- Reply appended | lost
if redis.call('HEXISTS', KEYS[1], 'has:' .. ARGV[1]) == 1 then return 'appended' end
if known[3] and not mine then return 'lost' end
give_free()
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], 'version', ARGV[5], 'first', string.format('%.0f', ARGV[5] + 1), 'has:' .. ARGV[1], '1')
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[3], ARGV[6], 'PX', ARGV[7])
return 'appended'
