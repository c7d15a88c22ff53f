"""How many connections and files a process may have open."""

import errno
import os
import sys
from contextlib import suppress

ENOUGH = 65_536
"""More than any worker carries; some systems allow a thousand million, which old code walks through."""
_NONE_LEFT = frozenset({errno.EMFILE, errno.ENFILE})


def take_descriptors() -> int:
    """Raise this process's own limit as far as it may go, up to `ENOUGH`; what it is then.

    Most systems begin with 1024 and let a process have many more if it asks. One that runs out can open no
    connection, which looks as if the other side were down.
    """
    if sys.platform == "win32":
        return ENOUGH
    import resource  # Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH if hard == resource.RLIM_INFINITY else min(hard, ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft if soft != resource.RLIM_INFINITY else ENOUGH
    with suppress(OSError, ValueError):  # macOS has a lower bound of its own that it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def none_left() -> bool:
    """Whether this process, or its machine, can open no further connection or file now."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno in _NONE_LEFT
    return False


def came_of_starving(error: BaseException) -> bool:
    """Whether an error of a connection says that there was no descriptor left for it.

    One that could not look up a name says so in no word, so what holds now counts too.
    """
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NONE_LEFT:
            return True
        cause = cause.__cause__ or cause.__context__
    return none_left()
