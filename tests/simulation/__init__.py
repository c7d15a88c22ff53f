"""The delivery protocol under a simulated clock, broker, store and upstream: one seed decides everything."""
