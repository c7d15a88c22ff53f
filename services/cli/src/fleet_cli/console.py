"""What the commands say to the person who runs them."""

import io
import sys


def say(line: str) -> None:
    """One line on stdout, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def clear() -> None:
    """Empty the terminal, where stdout is one."""
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[H\x1b[2J")


def complain(sentence: str) -> None:
    """One line on stderr, if there is anything to say."""
    if line := " ".join(sentence.split()):
        sys.stderr.write(f"fleet: {line}\n")


def accept_any_text() -> None:
    """Let a terminal or pipe whose encoding lacks a character show a question mark in its place."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
