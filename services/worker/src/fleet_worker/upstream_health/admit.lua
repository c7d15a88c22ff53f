-- Whether a call makes sense now. Follows circuit.lua.
-- KEYS: account's circuit, model's circuit
-- ARGV: call id, ms of a probe, 1 to ask for the model alone
-- Returns {'account' or 'model', 'go' or 'probe' or 'wait', ms left, ms since the trouble began, code}
local now = now_ms()
if ARGV[3] ~= '1' then
  local account = admission(KEYS[1], ARGV[1], tonumber(ARGV[2]), now)
  if account[1] ~= 'go' then
    return {'account', account[1], account[2], account[3], account[4]}
  end
end
local model = admission(KEYS[2], ARGV[1], tonumber(ARGV[2]), now)
return {'model', model[1], model[2], model[3], model[4]}
