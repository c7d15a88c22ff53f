"""The fleet for programs without an event loop: Django, Flask, scripts, threads, forked workers."""

from fleet_client.sync.fleet import Fleet

__all__ = ["Fleet"]
