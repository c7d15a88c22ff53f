-- Appends a turn once; forgets the oldest exchanges where the conversation has become too large.
-- ARGV  4 how long a conversation is kept in ms, 5 version it was taken at, 6 most bytes of all turns, 7 first,
--       8 system, 9 answer, 10 how long the answer is kept in ms, 11 states all anew (0 or 1),
--       then the turns, the new one last: it alone, or all of them where all is stated anew
-- Reply appended | lost | gone (the store has lost the conversation: state it anew)
local function whole(number) return string.format('%.0f', number) end
local function mark_of(entry) return 'has:' .. string.sub(entry, 2, string.find(entry, '\n', 1, true) - 1) end

if redis.call('HEXISTS', KEYS[1], 'has:' .. ARGV[1]) == 1 then return 'appended' end
local gone = not known[3]
if gone and ARGV[11] ~= '1' then return 'gone' end
if not gone and not (mine and known[3] == ARGV[5]) then return 'lost' end

if gone then redis.call('DEL', KEYS[2]) end
local bytes = gone and 0 or tonumber(redis.call('HGET', KEYS[1], 'bytes') or 0)
for place = gone and 12 or #ARGV, #ARGV do
  redis.call('RPUSH', KEYS[2], ARGV[place])
  redis.call('HSET', KEYS[1], mark_of(ARGV[place]), '1')
  bytes = bytes + #ARGV[place]
end

local left = redis.call('LLEN', KEYS[2])
while bytes > tonumber(ARGV[6]) do
  local oldest = 1
  while oldest < left and string.sub(redis.call('LINDEX', KEYS[2], oldest), 1, 1) == '+' do oldest = oldest + 1 end
  if oldest >= left then break end
  for _ = 1, oldest do
    local entry = redis.call('LPOP', KEYS[2])
    redis.call('HDEL', KEYS[1], mark_of(entry))
    bytes = bytes - #entry
  end
  left = left - oldest
end

local version = tonumber(ARGV[5]) + 1
redis.call('HSET', KEYS[1], 'version', whole(version), 'first', ARGV[7], 'system', ARGV[8], 'bytes', whole(bytes))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('SET', KEYS[3], ARGV[9], 'PX', ARGV[10])
give_free()
return 'appended'
