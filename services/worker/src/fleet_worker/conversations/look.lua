-- A conversation as it is.
-- KEYS  1 record (hash), 2 turns (list)
-- Reply {version, first, system, {turn, turn ...}}
local known = redis.call('HMGET', KEYS[1], 'version', 'first', 'system')
return {known[1] or '0', known[2] or '1', known[3] or '', redis.call('LRANGE', KEYS[2], 0, -1)}
