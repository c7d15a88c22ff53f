-- ARGV 18: id of a request that waits no more, or of a grant that nobody waits for
local id = ARGV[18]
drop_ticket(id)
local unused = drop_lease(id, 0)
if unused then settle_rates(unused.tenant, -unused.tokens, unused.since) end
return answer('left', dispatch(nil))
