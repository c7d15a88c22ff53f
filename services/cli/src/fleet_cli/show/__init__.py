"""`fleet show`: the life of one request."""
