"""A request that another worker has ended while this one still works on it."""

from typing import Any

from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import OnBreak
from fleet_worker.completion import CompletionError
from fleet_worker.ledger.claiming import identity_of
from fleet_worker.ledger.fleet_ledger import FleetLedger
from fleet_worker.ledger.record import Head, Holder
from fleet_worker.outcome import Outcome
from harness.handlers import HI, House, whole
from harness.ledgers import FACTS
from harness.requests import a_request


async def test_no_paid_call_goes_on_with_an_answer_that_another_worker_has_given_meanwhile():
    request = a_request(on_break=OnBreak.CONTINUE)
    broken = CompletionError(ErrorCode.UPSTREAM_INTERRUPTED, "broke", again=True, partial={"content": "Hi "})
    house = House([HI, broken], [whole("there")])
    ledger: Any = house.handler.ledger
    assert isinstance(ledger, FleetLedger)

    async def another_worker_ends_it() -> None:
        other = Holder("other", 2**60, identity_of(request), FACTS, 2, 1, "", restates=True)
        head = Head("result", "c-1:final", 2, "result", "digest")
        await ledger.records.commit(request.key, other, head, b"{}")

    house.completions.script(0).insert(1, another_worker_ends_it)
    assert await house.handle(request) is Outcome.HAND_BACK
    assert house.completions.calls == 1
