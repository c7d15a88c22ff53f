"""Pure: what may be followed."""

from collections.abc import Sequence

from fleet_cli.wrong_input import WrongInputError

TERMINAL = ("result.#", "failure.#")
WORDS = 3
FIRST_WORDS = ("result", "failure", "chunk", "*", "#")
LONGEST_BYTES = 255


def checked(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns to bind, every terminal reply where none is given.

    Raises:
        WrongInputError: one of them could never fit a routing key `<kind>.<tenant>.<model>`.
    """
    for pattern in patterns:
        if not _fits_a_key(pattern):
            raise WrongInputError(
                f"the pattern {pattern!r} fits no reply: their keys are <kind>.<tenant>.<model>, so "
                "begin with result, failure, chunk, * or #, and fit three words, as in 'result.acme.#'"
            )
    return tuple(dict.fromkeys(patterns)) or TERMINAL


def _fits_a_key(pattern: str) -> bool:
    words = pattern.split(".")
    certain = sum(word != "#" for word in words)
    as_long = certain <= WORDS if "#" in words else certain == WORDS
    return words[0] in FIRST_WORDS and as_long and len(pattern.encode()) <= LONGEST_BYTES
