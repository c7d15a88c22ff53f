-- Pauses the account. Follows circuit.lua.
-- KEYS: account's circuit
-- ARGV: call id, code, ms until the first look, longest ms between looks
-- Returns 1 where it was not paused before. A refusal of a call made before the pause changes nothing.
local circuit = redis.call('HMGET', KEYS[1], 'since', 'probe')
if circuit[1] and circuit[2] ~= ARGV[1] then return 0 end
if open_circuit(KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[2], now_ms()) == 'opened' then return 1 end
return 0
