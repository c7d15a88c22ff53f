-- Requests and tokens a minute: weighted GCRA. With this interval at most `limit` units start in any window
-- of WINDOW, wherever it begins; the price is that only WINDOW / (WINDOW + burst) of it can be used for long.
--
-- The burst is BURST, or as much as the biggest request of the last window where that is more: one that is bigger
-- than the burst waits until the limit has been left alone for the difference, or a window could hold the rest of
-- the limit and all of it. Of a request bigger than half the limit no more than the half makes the burst longer.
local BIGGEST = 0.5
local function pace(name, per_window)
  local most = BURST / (WINDOW + BURST) * per_window
  local cost, till = string.match(call('HGET', STATE, 'big|' .. name) or '', '^(.*)|(.*)$')
  if cost and tonumber(till) > now then
    local big = min(tonumber(cost), BIGGEST * per_window)
    if big > most then return WINDOW / (per_window - big), big end
  end
  return (WINDOW + BURST) / per_window, most
end
local function wait_for(name, per_window, cost)
  if not per_window then return 0 end
  local interval, most = pace(name, per_window)
  local at = number(call('ZSCORE', RATES, name))
  if cost <= most then return max((at or 0) - now, 0) - (most - cost) * interval end
  return at and at - now + min((cost - most) * interval, WINDOW) or 0
end
local function charge(name, per_window, cost)
  if not per_window then return end
  local interval, most = pace(name, per_window)
  if cost >= most then
    call('HSET', STATE, 'big|' .. name, exact(cost) .. '|' .. exact(now + WINDOW))
    interval = pace(name, per_window)
  end
  call('ZADD', RATES, exact(max(number(call('ZSCORE', RATES, name)) or 0, now) + cost * interval), name)
end
local function rate_wait(tokens) return max(wait_for('r', RPM, 1), wait_for('t', TPM, tokens)) end
local function tenant_rate_wait(tenant, tokens)
  local own = limits_of(tenant)
  return max(wait_for('r|' .. tenant, own.rpm, 1), wait_for('t|' .. tenant, own.tpm, tokens))
end
local function charge_rates(tenant, tokens)
  local own = limits_of(tenant)
  charge('r', RPM, 1)
  charge('t', TPM, tokens)
  charge('r|' .. tenant, own.rpm, 1)
  charge('t|' .. tenant, own.tpm, tokens)
end
-- More tokens than reserved are charged always; fewer are given back only inside the window, for what the last
-- window did not use must not be used in this one.
local function settle_rates(tenant, more, since)
  if more > 0 or now - since < WINDOW then
    local function adjust(name, per_window)
      local at = per_window and number(call('ZSCORE', RATES, name))
      if at then call('ZADD', RATES, exact(at + more * pace(name, per_window)), name)
      elseif per_window and more > 0 then charge(name, per_window, more) end
    end
    adjust('t', TPM)
    adjust('t|' .. tenant, limits_of(tenant).tpm)
  end
end
