"""How the whole fleet stands now: lanes, workers, rates, limits."""
