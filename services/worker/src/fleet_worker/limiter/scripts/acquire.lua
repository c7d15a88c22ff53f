-- ARGV from 18: id  tenant  lane  tokens reserved  worst case in nano-dollars
-- Answers granted | waits <how many are before it> | refused <period> <spent> <limit> <resets at ms>
local id, tenant, lane, tokens, worst = ARGV[18], ARGV[19], ARGV[20], ARGV[21], ARGV[22]
renew_membership()
if call('HEXISTS', HELD, id) == 1 then return answer('granted', nil) end
local verdict, period, spent, most, resets = budget(tenant, tonumber(worst))
if verdict == 'never' then
  drop_ticket(id)
  return answer('refused', dispatch(nil), period, exact(spent), exact(most), exact(resets))
end
if call('HEXISTS', TICKETS, id) == 0 then enqueue(id, tenant, lane, tokens, worst) end
local next_ms = dispatch(id)
if granted_to_caller then return answer('granted', next_ms) end
return answer('waits', next_ms, position(id), ceiling(), exact(number(call('HGET', STATE, 'took')) or 0),
  call('ZCARD', FLOWS.interactive) + call('ZCARD', FLOWS.batch))
