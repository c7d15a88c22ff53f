"""Where deliveries come in: taken, read, supervised and acknowledged."""
