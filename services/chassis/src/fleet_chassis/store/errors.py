"""What can go wrong with the store: a closed set of two."""


class StoreUnavailableError(Exception):
    """The store did not answer in time, is gone, starting, full or read-only, or can't save or replicate.

    What was asked may have happened. Ask again with the same arguments: every script is written so
    that a repetition changes nothing.
    """


class StoreScriptError(Exception):
    """The store refused a script or a command for good: a bug, or a right that the user lacks."""
