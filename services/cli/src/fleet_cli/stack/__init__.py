"""The local stack: everything a run needs, found or started on this machine, and gone when the run ends."""
