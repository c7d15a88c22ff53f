"""The copy for those who follow the results: behind the caller's reply, and seen to its end."""

import asyncio

from fleet_worker.composing import Composed
from harness.publishing import REFUSED, TAKEN, FakeBroker, Way, a_deliverer, both_ways
from harness.requests import a_request

pytestmark = both_ways
REPLY = Composed("result", "c-1:final", b'{"kind": "result"}')


class Moody(FakeBroker):
    """Says one verdict after the other."""

    def __init__(self, *verdicts: str) -> None:
        super().__init__()
        self.verdicts = list(verdicts)

    async def answer(self, message: bytes) -> str:
        self.verdict = self.verdicts.pop(0)
        return await super().answer(message)


async def test_a_copy_that_is_refused_is_tried_again_and_waited_for(way: Way):
    broker = Moody(TAKEN, REFUSED, REFUSED, TAKEN)
    deliverer = a_deliverer(way(broker))
    await deliverer.deliver_terminal(a_request(reply_to="replies"), REPLY)
    await deliverer.settle(10)
    assert broker.verdicts == []
    assert [body["kind"] for body in broker.bodies] == ["result", "result"]


async def test_a_caller_does_not_wait_for_the_copy(way: Way):
    broker = FakeBroker()
    deliverer = a_deliverer(way(broker))
    delivering = asyncio.create_task(deliverer.deliver_terminal(a_request(reply_to="replies"), REPLY))
    await broker.arrived.wait()
    broker.hold()
    await delivering
    assert len(broker.bodies) == 1
    broker.release()
    await deliverer.settle(10)
    assert len(broker.bodies) == 2
