"""Parts of the stack that run in containers, where a Docker engine answers."""
