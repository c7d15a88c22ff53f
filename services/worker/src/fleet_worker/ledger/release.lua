-- Gives a request back without an end: rules.release, in the store.
-- Reply held | lost | ended
local stands = standing()
if stands ~= 'held' then return stands end
state('', 0)
tell_who_waits(KEYS[1], known[6] or '', ARGV[13])
return 'held'
