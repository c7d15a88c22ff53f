"""The one error for what a person gave us and can correct. Not the chassis' own, which is slow to load."""


class WrongInputError(Exception):
    """What was given can't be used; the message is one sentence that says what to give instead."""
