"""Conversations whose history the fleet keeps: one turn at a time, each appended once."""
