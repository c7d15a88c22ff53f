"""Runs a command that cannot outlive the process which started it, not even one killed with -9.

Used as a script: `python die_with_parent.py PARENT_PID SIGNAL COMMAND...`. The kernel keeps the wish over
exec (prctl(2), PR_SET_PDEATHSIG), so the command itself needs to know nothing of it. Being a program of its
own, it needs no `preexec_fn`, which is unsafe in a process with threads. Elsewhere than on Linux it only runs
the command.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for SIGNAL at the parent's death, then become the command."""
    parent, signal_number, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        if os.getppid() != int(parent):
            sys.exit("the parent process died before its child started")
    # Python ignores this one, and an ignored signal stays ignored in the command.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the purpose


if __name__ == "__main__":
    main()
