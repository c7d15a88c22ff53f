-- Requests and tokens a minute: weighted GCRA. With this interval at most `limit` units start in any window
-- of WINDOW, wherever it begins; the price is that only WINDOW / (WINDOW + BURST) of it can be used for long.
local function interval(per_window) return (WINDOW + BURST) / per_window end
local function wait_for(name, per_window, cost)
  if not per_window then return 0 end
  local ahead = max((number(call('ZSCORE', RATES, name)) or 0) - now, 0)
  return ahead - max(0, BURST - cost * interval(per_window))
end
local function charge(name, per_window, cost)
  if per_window then
    local from = max(number(call('ZSCORE', RATES, name)) or 0, now)
    call('ZADD', RATES, exact(from + cost * interval(per_window)), name)
  end
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
      if at then call('ZADD', RATES, exact(at + more * interval(per_window)), name)
      elseif per_window and more > 0 then charge(name, per_window, more) end
    end
    adjust('t', TPM)
    adjust('t|' .. tenant, limits_of(tenant).tpm)
  end
end
