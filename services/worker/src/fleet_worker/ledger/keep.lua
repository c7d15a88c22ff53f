-- Renews a claim and states what has changed: rules.keep, in the store.
-- Reply held | cancelled | lost | ended
local stands = standing()
if stands ~= 'held' then return stands end
state(ARGV[1], now + ARGV[11])
return known[5] == '1' and 'cancelled' or 'held'
