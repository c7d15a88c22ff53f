"""What can go wrong while the local stack is put together."""


class StackError(Exception):
    """The stack cannot run; the message is one sentence that says what to do."""


class UnavailableError(StackError):
    """This way of getting a part is not open on this machine; the next way may be."""
