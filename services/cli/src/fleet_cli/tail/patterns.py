"""Pure: what may be followed."""

from collections.abc import Sequence

from fleet_cli.wrong_input import WrongInputError

TERMINAL = ("result.#", "failure.#")
FIRST_WORDS = ("result", "failure", "chunk", "*", "#")
LONGEST_BYTES = 255


def checked(patterns: Sequence[str]) -> tuple[str, ...]:
    """The patterns to bind, every terminal reply where none is given.

    Raises:
        WrongInputError: one of them could never fit a routing key `<kind>.<tenant>.<model>`.
    """
    for pattern in patterns:
        first = pattern.partition(".")[0]
        if first not in FIRST_WORDS or len(pattern.encode()) > LONGEST_BYTES:
            raise WrongInputError(
                f"the pattern {pattern!r} fits no reply: their keys are <kind>.<tenant>.<model>, so "
                "begin with result, failure, chunk, * or #, as in 'result.acme.#'"
            )
    return tuple(dict.fromkeys(patterns)) or TERMINAL
