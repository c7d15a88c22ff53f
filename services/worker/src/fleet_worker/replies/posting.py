"""One message from the moment in which it was posted until its end is known."""

import asyncio

from fleet_worker.replies.outgoing import Compose, Ended, NotConfirmedError, UnroutableError

Failed = UnroutableError | NotConfirmedError


class Post:
    """What is to be sent, and who hears of its end."""

    __slots__ = ("compose", "due", "ended", "returned")

    def __init__(self, compose: Compose, ended: Ended, due: float) -> None:
        self.compose = compose
        self.ended: Ended | None = ended
        self.due = due
        self.returned = False

    def withdraw(self) -> None:
        """Nobody wants to hear of it any more; it does not leave, unless it has left."""
        self.ended = None

    def end(self, error: Failed | None) -> None:
        """Tell its sender, once."""
        if self.ended is None:
            return
        ended, self.ended = self.ended, None
        try:
            ended(error)
        except Exception as bug:  # noqa: BLE001 - one sender's bug must not reach the others
            context = {"message": "a bug in who posted a message", "exception": bug}
            asyncio.get_running_loop().call_exception_handler(context)


def verdict(post: Post, *, taken: bool) -> Failed | None:
    """What the broker's answer means for its sender."""
    if post.returned:
        return UnroutableError("no queue takes it: the queue that it names is gone")
    return None if taken else NotConfirmedError("the broker refused it")
