-- Stores the terminal reply: rules.commit, in the store. A repeated commit changes nothing.
-- ARGV after the attempts: kind, id, attempt, outcome, digest, body, how long the body is kept in ms
-- Reply {stored} | {superseded} | {ended, kind, id, attempt, outcome, digest, body or nil}
local stands = standing()
if stands == 'ended' then
  local head = redis.call('HMGET', KEYS[1], 'kind', 'id', 'attempt', 'outcome', 'digest')
  if head[5] == ARGV[after + 5] then return {'stored'} end
  return {'ended', head[1], head[2], head[3], head[4], head[5], redis.call('GET', KEYS[2])}
end
if stands == 'lost' then return {'superseded'} end
state('', 0)
redis.call('HSET', KEYS[1], 'kind', ARGV[after + 1], 'id', ARGV[after + 2], 'attempt', ARGV[after + 3],
  'outcome', ARGV[after + 4], 'digest', ARGV[after + 5])
redis.call('SET', KEYS[2], ARGV[after + 6], 'PX', ARGV[after + 7])
tell_who_waits(KEYS[1], known[6] or '', ARGV[13])
return {'stored'}
