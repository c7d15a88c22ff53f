-- Leaves a conversation as it was.
-- ARGV  4 how long a conversation without a turn is kept in ms
-- Reply held | lost
if not mine then return 'lost' end
give_free()
if known[3] == '0' then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 'held'
