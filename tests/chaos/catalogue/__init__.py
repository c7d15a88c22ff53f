"""The fault catalogue: each way to break a fleet that we know of, one by one, with what must hold in it."""
