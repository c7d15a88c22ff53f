"""Redis or Valkey for the local stack: given, in a container, installed, or unpacked into the cache."""
