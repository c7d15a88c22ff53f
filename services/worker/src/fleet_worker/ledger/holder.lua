-- What keep, commit and release share: what a holder's word is worth, and how the record is stated anew.
-- KEYS  1 record (hash), 2 body of the terminal reply (string)
-- ARGV  1 owner, 2 fence, 3 identity, 4 attempts, 5 void, 6 restates (0 or 1), 7 model, 8 lane, 9 stream (0 or 1),
--       10 reply_to (or empty), 11 lease in ms, 12 how long a record is kept in ms, 13 what is told to who waits,
--       14 attempts before its claim, 15 how many attempts follow, then their fields and values, then what each script takes beside
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local after = 15 + 2 * ARGV[15]
local known = redis.call('HMGET', KEYS[1], 'owner', 'fence', 'digest', 'attempts', 'cancelled', 'waiting')

local function standing()
  if known[3] then return 'ended' end
  local fence, mine = tonumber(known[2] or 0), tonumber(ARGV[2])
  if known[1] == ARGV[1] and fence == mine then return 'held' end
  if ARGV[6] == '1' and fence < mine then return 'held' end
  return 'lost'
end

local function state(owner, lease)
  local attempts = math.max(tonumber(known[4] or 0), tonumber(ARGV[4]))
  redis.call('HSET', KEYS[1], 'identity', ARGV[3], 'owner', owner, 'fence', ARGV[2],
    'lease', string.format('%.0f', lease), 'attempts', string.format('%.0f', attempts), 'before', ARGV[14],
    'void', ARGV[5], 'model', ARGV[7], 'lane', ARGV[8], 'stream', ARGV[9], 'reply_to', ARGV[10])
  for place = 16, after, 2 do
    redis.call('HSET', KEYS[1], ARGV[place], ARGV[place + 1])
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[12])
end
