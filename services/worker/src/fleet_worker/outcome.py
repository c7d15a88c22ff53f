"""What the door does with a delivery once its request has been handled."""

from enum import Enum


class Outcome(Enum):
    """A closed set: only the door acts on it."""

    DONE = "done"
    """The request has ended and its terminal reply is confirmed: acknowledge."""
    HAND_BACK = "hand_back"
    """Not ended here: return the delivery, another worker takes it."""
