"""`fleet dlq`: the dead letters, and what an operator may do with them."""
