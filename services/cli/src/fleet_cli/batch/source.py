"""The input file, line by line; no line is ever held that is longer than a request may be."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fleet_cli.wrong_input import WrongInputError
from fleet_contracts.grammar import MAX_REQUEST_BYTES

MOST_BYTES = 2 * MAX_REQUEST_BYTES
"""Of one line: JSON may spell a character in up to six."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Raw:
    """One line as it stands in the file.

    Attributes:
        number: from 1, counting blank lines too.
        text: its bytes, with its line end; None where it is too long to be held.
    """

    number: int
    text: bytes | None = field(repr=False)

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing on it."""
        return self.text is not None and not self.text.strip()


def lines_of(path: Path) -> Iterator[Raw]:
    """Every line of the file.

    Raises:
        WrongInputError: it can't be read.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while part := file.readline(MOST_BYTES):
                number += 1
                if number == 1:
                    part = part.removeprefix(_BYTE_ORDER_MARK)
                if len(part) == MOST_BYTES and not part.endswith(b"\n"):
                    while part and not part.endswith(b"\n"):
                        part = file.readline(MOST_BYTES)
                    yield Raw(number, None)
                else:
                    yield Raw(number, part)
    except OSError as error:
        raise WrongInputError(f"{path} can't be read ({error.strerror}): give a file of prompts") from error
