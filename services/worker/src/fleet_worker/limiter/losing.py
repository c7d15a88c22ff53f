"""A call whose permit was taken away, where operators want it to end: others have its place already."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from fleet_contracts.codes import ErrorCode
from fleet_worker.completion import CompletionError
from fleet_worker.limiter.possessions import Possessions


@contextmanager
def ending_with(pool: Possessions, ask_id: str) -> Generator[None]:
    """Run a call that ends with its permit.

    Raises:
        CompletionError: `upstream_interrupted`, to be tried again: the permit was taken away.
    """
    if ask_id not in pool.held:
        raise _taken_away()
    task = asyncio.current_task()
    cancels = task.cancelling() if task else 0
    lost = False

    def end() -> None:
        nonlocal lost
        lost = True
        if task is not None:
            task.cancel()

    pool.on_loss[ask_id] = end
    try:
        yield
    except asyncio.CancelledError:
        # As asyncio.timeout does: our own cancel becomes the reason, anybody else's goes on.
        if task is None or not lost or task.uncancel() > cancels:
            raise
        raise _taken_away() from None
    finally:
        del pool.on_loss[ask_id]


def _taken_away() -> CompletionError:
    message = (
        "the store did not hear of this worker for so long that another request got its permit, so the call "
        "was ended here: ask again"
    )
    return CompletionError(ErrorCode.UPSTREAM_INTERRUPTED, message, again=True, blames_upstream=False)
