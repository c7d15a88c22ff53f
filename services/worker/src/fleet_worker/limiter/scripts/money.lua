-- Money of a tenant, over all pools: the worst case is reserved with the permit, and settled when it ends.
local DAY = 86400000
-- Year and month of a day since 1970, by counting years from March so that the leap day comes last.
local function month_of(day)
  local shifted = day + 719468
  local era = floor(shifted / 146097)
  local in_era = shifted - era * 146097
  local year = floor((in_era - floor(in_era / 1460) + floor(in_era / 36524) - floor(in_era / 146096)) / 365)
  local in_year = in_era - (365 * year + floor(year / 4) - floor(year / 100))
  local month = floor((5 * in_year + 2) / 153)
  local december = month >= 10
  return (year + era * 400 + (december and 1 or 0)) * 12 + (december and month - 10 or month + 2)
end
local function fields_of(tenant, at)
  local day = floor(at / DAY)
  return 'd|' .. day .. '|' .. tenant, 'm|' .. month_of(day) .. '|' .. tenant, 'r|' .. tenant
end
local function month_ends(at)
  local day = floor(at / DAY)
  local month = month_of(day)
  repeat day = day + 1 until month_of(day) ~= month
  return day * DAY
end
-- 'fits', 'waits' (what others reserved may come back) or 'never', with period, what is used, limit and reset.
local function budget(tenant, worst)
  local own = limits_of(tenant)
  if not own.day and not own.month then return 'fits' end
  local day, month, reserved = fields_of(tenant, now)
  local money = call('HMGET', MONEY, day, month, reserved)
  local held = number(money[3]) or 0
  local verdict = 'fits'
  local function judge(period, spent, most, resets)
    if most and spent + worst > most then return {'never', period, spent, most, resets} end
    if most and spent + held + worst > most then verdict = 'waits' end
  end
  local refused = judge('day', number(money[1]) or 0, own.day, (floor(now / DAY) + 1) * DAY)
    or judge('month', number(money[2]) or 0, own.month, own.month and month_ends(now))
  if refused then return unpack(refused) end
  return verdict
end
local function reserve_money(tenant, worst)
  if worst > 0 then call('HINCRBY', MONEY, 'r|' .. tenant, exact(worst)) end
end
-- What a tenant has spent by now, for its worker to remember should this store forget.
local spent_by_now = {}
local function settle_money(tenant, worst, spent, since)
  local day, month, reserved = fields_of(tenant, since)
  if worst > 0 and call('HINCRBY', MONEY, reserved, exact(-worst)) <= 0 then call('HDEL', MONEY, reserved) end
  if spent ~= 0 then
    if now < quiet_until then
      -- What workers state of the time before does not hold this.
      for _, field in ipairs({day, month}) do call('HINCRBY', MONEY, 'g|' .. boot .. '|' .. field, exact(spent)) end
    end
    spent_by_now = {day, call('HINCRBY', MONEY, day, exact(spent)), month, call('HINCRBY', MONEY, month, exact(spent))}
  end
end
-- Spending only grows, so of what several workers remember the most is the newest.
local function restate_money(field, spent)
  if now < quiet_until then spent = spent + (number(call('HGET', MONEY, 'g|' .. boot .. '|' .. field)) or 0) end
  if spent > (number(call('HGET', MONEY, field)) or 0) then call('HSET', MONEY, field, exact(spent)) end
end
-- Once a day, what no budget asks for any more is forgotten.
local function forget_old_money()
  local today = floor(now / DAY)
  if call('HGET', META, 'day') == exact(today) then return end
  call('HSET', META, 'day', exact(today))
  for _, field in ipairs(call('HKEYS', MONEY)) do
    local kind, period = string.match(field, '^([dm])|(%d+)|')
    local oldest = kind == 'd' and today - 1 or month_of(today) - 1
    if (kind and tonumber(period) < oldest) or string.match(field, '^g|') then call('HDEL', MONEY, field) end
  end
end
