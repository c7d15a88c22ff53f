"""What the door does with a delivery once its request has been handled."""

from enum import Enum

from fleet_contracts.codes import ErrorCode
from fleet_worker.terminal import Terminal


class Outcome(Enum):
    """A closed set: only the door acts on it."""

    DONE = "done"
    """The request has ended and its terminal reply is confirmed: acknowledge."""
    BURY = "bury"
    """It has ended because workers were lost over it: keep it among the dead letters, then acknowledge."""
    HAND_BACK = "hand_back"
    """Not ended here: return the delivery, another worker takes it."""

    @classmethod
    def of(cls, terminal: Terminal) -> "Outcome":
        """What becomes of the delivery of a request that has ended so."""
        return cls.BURY if terminal.outcome == ErrorCode.CRASH_LOOP else cls.DONE
