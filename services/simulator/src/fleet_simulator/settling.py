"""The end of a call that was answered: it is charged, and the context cache learns what it read."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from fleet_simulator.call import Call
from fleet_simulator.config import Account
from fleet_simulator.requests import ChatRequest, FimRequest
from fleet_simulator.usage import Usage


@dataclass(frozen=True, slots=True)
class Bill:
    """Who pays for which tokens.

    Attributes:
        account: Who pays.
        request: What was asked.
        usage: The tokens of the whole answer.
        said: The answer as the next turn's context will hold it.
    """

    account: Account
    request: ChatRequest | FimRequest
    usage: Usage
    said: str = ""


@contextmanager
def settled(call: Call, bill: Bill) -> Generator[None]:
    """Charge the call when it ends, however it ends; one whose answer never began costs nothing.

    A call that was broken off is charged to the full, because nobody knows whether the real API stops there.
    """
    arrived_ms = call.simulator.clock.now_ms()
    complete = False
    try:
        yield
        complete = call.reason == "done"
    finally:
        if call.started:
            _remember(call, bill, complete=complete)
            _charge(call, bill, arrived_ms)


def _remember(call: Call, bill: Bill, *, complete: bool) -> None:
    call.simulator.remember(bill.account, bill.request, bill.said if complete else "")


def _charge(call: Call, bill: Bill, arrived_ms: int) -> None:
    account, usage, model = bill.account, bill.usage, bill.request.model
    cost = call.simulator.charge(account, model, usage, arrived_ms)
    call.note(
        "charged",
        account=account.name,
        model=model,
        hit=usage.hit,
        miss=usage.prompt - usage.hit,
        output=usage.completion,
        amount=f"{cost:f}",
        currency=account.currency,
    )
