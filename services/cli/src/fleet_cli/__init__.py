"""The fleet command and the local stack."""
