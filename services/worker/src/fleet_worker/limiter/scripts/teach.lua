-- ARGV 18: calls at once that the provider is expected to let run
learn_from_warning(tonumber(ARGV[18]))
return answer('taught', dispatch(nil), ceiling())
