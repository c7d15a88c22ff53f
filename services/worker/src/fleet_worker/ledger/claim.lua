-- Takes a request in hand: rules.claim, in the store.
-- KEYS  1 record (hash), 2 body of the terminal reply (string)
-- ARGV  1 owner, 2 identity, 3 lease in ms, 4 how long a record is kept in ms, 5 attempts where nothing is known,
--       6 7 8 channel, fence and lease of an owner found dead (or empty), 9 patient, 10 forgiving (0 or 1),
--       11 model, 12 lane, 13 stream (0 or 1), 14 reply_to (or empty), 15 void where attempts are given,
--       16 how many who wait are told
-- Reply {taken, fence, attempts, void, vanished, cancelled, superseded} | {busy, owner, fence, lease, ms left}
--       | {ended, kind, id, attempt, outcome, digest, body or nil} | {differs}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function whole(number) return string.format('%.0f', number) end

local known = redis.call('HMGET', KEYS[1], 'identity', 'owner', 'fence', 'lease', 'attempts', 'void', 'vanished',
  'cancelled', 'waiting', 'digest', 'before')
local identity, owner = known[1] or '', known[2] or ''
local fence, lease, vanished = tonumber(known[3] or 0), tonumber(known[4] or 0), tonumber(known[7] or 0)

if identity ~= '' and identity ~= ARGV[2] then return {'differs'} end

if known[10] then
  local head = redis.call('HMGET', KEYS[1], 'kind', 'id', 'attempt', 'outcome', 'digest')
  return {'ended', head[1], head[2], head[3], head[4], head[5], redis.call('GET', KEYS[2])}
end

local superseded = owner ~= '' and owner ~= ARGV[1]
if superseded then
  local dead = owner == ARGV[6] and fence == tonumber(ARGV[7]) and lease == tonumber(ARGV[8])
  if ARGV[9] == '1' or not (lease <= now or dead) then
    note_who_waits(KEYS[1], known[9] or '', ARGV[1], tonumber(ARGV[16]))
    return {'busy', owner, whole(fence), whole(lease), whole(math.max(0, lease - now))}
  end
  local began = tonumber(known[5] or 0) > tonumber(known[11] or 0)
  if began and ARGV[10] ~= '1' then vanished = vanished + 1 end
end

local attempts, before, void = known[5] or '0', known[11] or '0', known[6] or ''
if identity == '' then
  attempts, void = ARGV[5], ARGV[15]
end
if owner ~= ARGV[1] then
  fence, before = math.max(fence + 1, now), attempts
end
redis.call('HSET', KEYS[1], 'identity', ARGV[2], 'owner', ARGV[1], 'fence', whole(fence),
  'lease', whole(now + ARGV[3]), 'attempts', attempts, 'before', before, 'void', void,
  'vanished', whole(vanished), 'model', ARGV[11], 'lane', ARGV[12], 'stream', ARGV[13], 'reply_to', ARGV[14])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'taken', whole(fence), attempts, void, whole(vanished), known[8] or '0', superseded and '1' or '0'}
