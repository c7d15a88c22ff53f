"""Chaos: real processes under load while things break, and one checker that says what came of it."""
