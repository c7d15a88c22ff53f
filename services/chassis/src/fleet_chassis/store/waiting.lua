-- Who waits until a record is free: the channels in its field 'waiting', each told once.

-- Notes a channel among those in `waiting`, the field's value, where there is room for it.
local function note_who_waits(record, waiting, channel, most)
  local count, there = 0, false
  for known in string.gmatch(waiting, '%S+') do
    count = count + 1
    there = there or known == channel
  end
  if not there and count < most then
    redis.call('HSET', record, 'waiting', waiting .. ' ' .. channel)
  end
end

local function tell_who_waits(record, waiting, message)
  redis.call('HDEL', record, 'waiting')
  for channel in string.gmatch(waiting, '%S+') do
    redis.call('PUBLISH', channel, message)
  end
end
