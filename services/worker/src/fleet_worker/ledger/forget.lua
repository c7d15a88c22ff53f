-- Forgets a request that has ended, or the body that its record left behind. Of one that has not, nothing: without
-- its record it would begin anew, and a reader of its text would not be told.
-- KEYS  1 record (hash), 2 body of the terminal reply (string)
-- Reply {forgotten, records, bodies} | {claimed} | {waits}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('HMGET', KEYS[1], 'owner', 'lease', 'digest')

if not known[3] and redis.call('EXISTS', KEYS[1]) == 1 then
  local claimed = (known[1] or '') ~= '' and tonumber(known[2] or 0) > now
  return {claimed and 'claimed' or 'waits'}
end
return {'forgotten', redis.call('UNLINK', KEYS[1]), redis.call('UNLINK', KEYS[2])}
