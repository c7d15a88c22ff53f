"""The error of a batch that can't go on."""


class BatchError(Exception):
    """A batch can't go on; the message is one sentence that says what to do, and nothing of it is lost."""
