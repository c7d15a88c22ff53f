"""What is relied on in a library beyond what it promises, as a check whose failure says what to do."""

from importlib.metadata import version

import pytest

Kind = type[BaseException]


def relied_on(library: str, holds: object, habit: str, otherwise: str) -> None:
    """Fail where a habit of a library is no more.

    Args:
        library: the distribution, as pip knows it.
        holds: whether the habit was seen.
        habit: what the library did when this was written.
        otherwise: what to change here before a release with the new library.
    """
    if not holds:
        pytest.fail(f"{library} {version(library)} has changed. Relied on: {habit}. Do: {otherwise}.")


def are(kind: Kind, *errors: Kind) -> bool:
    """Whether all these errors are of this kind, whatever the library's types say of it."""
    return all(issubclass(error, kind) for error in errors)
