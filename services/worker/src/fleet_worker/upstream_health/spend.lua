-- Takes from the retry bucket. Follows circuit.lua.
-- KEYS: retry bucket (hash), what was allowed lately (zset: id by time)
-- ARGV: call id, cost, size of the bucket
-- Returns 1 where it held so much. Asked twice, it takes once: by the id among what was allowed.
local REMEMBERED_MS = 60000
local now = now_ms()
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 1 end
local tokens = tonumber(redis.call('HGET', KEYS[1], 'tokens') or ARGV[3]) - tonumber(ARGV[2])
if tokens < 0 then return 0 end
redis.call('HSET', KEYS[1], 'tokens', tokens)
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - REMEMBERED_MS)
redis.call('PEXPIRE', KEYS[2], REMEMBERED_MS * 2)
return 1
