"""Pure: a terminal reply as the ledger keeps it, head and body apart, and back."""

import hashlib

from fleet_worker.ledger.record import Head
from fleet_worker.terminal import Terminal


def head_of(terminal: Terminal) -> Head:
    """What is kept of a terminal reply beside its body."""
    digest = hashlib.sha256(terminal.body).hexdigest()
    return Head(terminal.kind, terminal.fleet_id, terminal.attempt, terminal.outcome, digest)


def terminal_of(head: Head, body: bytes) -> Terminal:
    """The terminal reply that was stored."""
    return Terminal(head.kind, head.fleet_id, head.attempt, body, head.outcome)
