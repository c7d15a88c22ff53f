-- Marks a request as cancelled, and takes it where nobody has it in hand: rules.cancel, in the store.
-- KEYS  1 record (hash)
-- ARGV  1 owner, 2 lease in ms, 3 how long a record is kept in ms, 4 what is told to the owner
-- Reply {unknown} | {running} | {ended} | {taken, fence, identity, attempts, void, model, lane, stream, reply_to}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'lease', 'digest', 'model', 'attempts')
local owner, fence = known[1] or '', tonumber(known[2] or 0)

if known[4] then return {'ended'} end
redis.call('HSET', KEYS[1], 'cancelled', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if not known[5] then return {'unknown'} end
if owner ~= '' and owner ~= ARGV[1] and tonumber(known[3]) > now then
  redis.call('PUBLISH', owner, ARGV[4])
  return {'running'}
end
if owner ~= ARGV[1] then
  fence = math.max(fence + 1, now)
  redis.call('HSET', KEYS[1], 'before', known[6] or '0')
end
fence = string.format('%.0f', fence)
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'fence', fence, 'lease', string.format('%.0f', now + ARGV[2]))
local rest = redis.call('HMGET', KEYS[1], 'identity', 'attempts', 'void', 'model', 'lane', 'stream', 'reply_to')
return {'taken', fence, unpack(rest)}
