-- How many calls the provider really lets run: never more than configured, and what its refusals teach.
--
-- `learned` is the limit; while `growing` it rises with every call that began above the old one and was let in.
-- After a refusal it stays for `patience` answered calls (or as many times 300 ms), then one call tries again.
-- A refusal at the same number doubles the patience; a new number makes it short again.
--
-- A number far above what we have in flight is not ours alone to use: others call with the same account, or the
-- provider still counts calls that broke off. We give way to them, and go back up to that number (`room`) as soon
-- as it is free: after a short patience at first, a longer one each time that it is still taken, and then by one
-- for each answer, which doubles the calls in the time that one takes.
--
-- An overloaded provider (`busy`) says nothing about our limit while that is rare: the share of such ends among
-- about the last 1 / BUSY_NEW. Where it is not rare, everybody pauses and the limit is cut, at most once a second.
local PATIENCE, SHORT_PATIENCE, MOST_PATIENCE, QUIET_MS = 100, 10, 400, 300
local CUT, FASTER, SLOWER = 0.9, 0.5, 0.25
-- A provider in order refuses some calls in a hundred, and repeating those is cheaper than slowing all the
-- others down; from one in ten on, repeating is itself a part of the load.
local BUSY_NEW, BUSY_RARE, BUSY_CUT_MS = 0.02, 0.1, 1000

local function learned_limit()
  return number(call('HGET', STATE, 'learned')) or min(START, CONCURRENCY)
end
local function ceiling() return max(1, floor(min(CONCURRENCY, learned_limit()))) end
local function in_flight() return number(call('HGET', STATE, 'n')) or 0 end
-- Slots kept for when the store is away are never granted by it.
local function grantable()
  if SPARE == 0 then return ceiling() end
  return max(1, ceiling() - SPARE * call('ZCARD', WORKERS))
end

local function busy_share() return number(call('HGET', STATE, 'busy')) or 0 end
local function note_busy(busy)
  local share = busy_share()
  if busy == 0 and share == 0 then return end
  share = share + BUSY_NEW * (busy - share)
  if share < 0.001 then call('HDEL', STATE, 'busy') else call('HSET', STATE, 'busy', exact(share)) end
end

local function climb(learned, room)
  if learned + 1 < room then return call('HSET', STATE, 'learned', exact(min(CONCURRENCY, learned + 1))) end
  -- As far as the provider lets anybody go: from here on one more is tried as ever.
  call('HSET', STATE, 'learned', exact(min(CONCURRENCY, room)), 'still', 1, 'oks', 0, 'cut', now, 'patience', PATIENCE)
  call('HDEL', STATE, 'room')
end
local function learn_from_answer(since)
  if busy_share() > BUSY_RARE then return end
  local learned = learned_limit()
  if in_flight() + 1 < 0.8 * min(learned, CONCURRENCY) or learned >= CONCURRENCY then return end
  local known = call('HMGET', STATE, 'still', 'grown', 'cut', 'oks', 'patience', 'room')
  if known[1] ~= '1' then
    if since < (number(known[2]) or 0) then return end
    if known[6] then climb(learned, tonumber(known[6]))
    else
      local step = known[3] and SLOWER or FASTER
      call('HSET', STATE, 'learned', exact(min(CONCURRENCY, learned + step)))
    end
    return
  end
  local oks, patience = (number(known[4]) or 0) + 1, number(known[5]) or PATIENCE
  if oks >= patience or now - (number(known[3]) or 0) >= patience * QUIET_MS then
    call('HSET', STATE, 'learned', exact(floor(learned) + 1), 'still', 0, 'grown', now, 'oks', 0)
  else
    call('HSET', STATE, 'oks', oks)
  end
end

-- `told`: the number in the refusal, 0 where there is none.
local function learn_from_refusal(since, told)
  local ours = in_flight() + 1
  local learned = min(learned_limit(), CONCURRENCY)
  local known = call('HMGET', STATE, 'cut', 'told', 'patience', 'room')
  local first_of_its_round = since > (number(known[1]) or 0)
  local shared, target = told > ours * 1.25 + 2, learned
  if told > 0 and not shared then
    target = min(learned, told)
  elseif first_of_its_round then
    target = min(learned, ours) * CUT
  end
  call('HSET', STATE, 'learned', exact(max(1, target)), 'still', 1, 'oks', 0)
  if first_of_its_round then
    local again = shared and known[4] or not shared and told > 0 and number(known[2]) == told
    local patience = shared and SHORT_PATIENCE or PATIENCE
    if again then patience = min(MOST_PATIENCE, (number(known[3]) or PATIENCE) * 2) end
    call('HSET', STATE, 'cut', now, 'patience', patience)
    if shared then call('HSET', STATE, 'room', told) end
  end
  if told > 0 then
    call('HSET', STATE, 'told', told)
    if not shared then call('HDEL', STATE, 'room') end
  end
end
-- What is known before any refusal: as a refusal, but one that says nothing about the last probe.
local function learn_from_warning(expected)
  if expected < min(learned_limit(), CONCURRENCY) then
    call('HSET', STATE, 'learned', exact(max(1, expected)), 'still', 1, 'oks', 0, 'cut', now)
  end
end
local function cool_down(ms)
  if ms > 0 then
    call('HSET', STATE, 'cool', exact(max(number(call('HGET', STATE, 'cool')) or 0, now + ms)))
  end
end
local function learn_from_overload(pause_ms)
  if busy_share() <= BUSY_RARE or now - (number(call('HGET', STATE, 'eased')) or 0) < BUSY_CUT_MS then return end
  local learned = max(1, min(learned_limit(), CONCURRENCY) * CUT)
  call('HSET', STATE, 'learned', exact(learned), 'eased', now, 'grown', now)
  cool_down(pause_ms)
end
