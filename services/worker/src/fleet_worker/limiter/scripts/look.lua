-- Time has come for something: grants what can be granted now.
renew_membership()
return answer('looked', dispatch(nil))
