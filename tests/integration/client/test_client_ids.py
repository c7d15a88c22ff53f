"""Asking again under the same ID: of a real worker with a simulator behind it, and of a FakeFleet."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from fleet_client import Conflict, Finished, Fleet, Text
from fleet_client.face import Face
from fleet_client.testing import FakeFleet
from harness.house import a_house

pytestmark = pytest.mark.sockets

QUESTION = "Is invoice 42 overdue?"


@dataclass(frozen=True, slots=True)
class Company:
    """A fleet, its callers, who come and go, and how often DeepSeek was paid."""

    caller: Callable[[], AbstractAsyncContextManager[Face]]
    paid: Callable[[], int]


Found = Callable[[], AbstractAsyncContextManager[Company]]


@pytest.fixture(params=["worker", "fake"])
def found(request: pytest.FixtureRequest) -> Found:
    if request.param == "fake":
        return _with_a_fake
    url: str = request.getfixturevalue("fleet_vhost")
    return lambda: _with_a_worker(url)


@asynccontextmanager
async def _with_a_fake() -> AsyncGenerator[Company]:
    fake = FakeFleet("one", "two", "three", tenant="billing")
    yield Company(fake.another, lambda: len(fake.asked))


@asynccontextmanager
async def _with_a_worker(url: str) -> AsyncGenerator[Company]:
    async with a_house(url) as house:
        yield Company(
            lambda: Fleet(url, tenant="billing"),
            lambda: len(house.simulator.log.events(kind="admitted")),
        )


async def test_a_caller_that_restarts_gets_the_stored_answer_unpaid(found: Found) -> None:
    async with found() as company:
        async with company.caller() as fleet:
            first = await fleet.complete(QUESTION, id="invoice-42", thinking=False)
        async with company.caller() as fleet:
            again = await fleet.complete(QUESTION, id="invoice-42", thinking=False)
        assert (again.text, again.response) == (first.text, first.response)
        assert company.paid() == 1


async def test_a_stream_that_is_asked_again_shows_the_whole_stored_answer(found: Found) -> None:
    async with found() as company:
        async with company.caller() as fleet:
            first = [event async for event in fleet.stream(QUESTION, id="invoice-42")]
        async with company.caller() as fleet:
            again = [event async for event in fleet.stream(QUESTION, id="invoice-42")]
        last = first[-1]
        assert isinstance(last, Finished)
        assert "".join(event.text for event in again if isinstance(event, Text)) == last.answer.text
        assert company.paid() == 1


async def test_a_submitted_request_can_be_asked_for_by_its_id(found: Found) -> None:
    async with found() as company, company.caller() as fleet:
        await fleet.submit(QUESTION, id="invoice-42", thinking=False)
        answer = await fleet.complete(QUESTION, id="invoice-42", thinking=False)
        assert answer.text
        assert company.paid() == 1


async def test_other_words_under_the_same_id_are_a_conflict_and_cost_nothing(found: Found) -> None:
    async with found() as company, company.caller() as fleet:
        await fleet.complete(QUESTION, id="invoice-42")
        with pytest.raises(Conflict):
            await fleet.complete("Is invoice 43 overdue?", id="invoice-42")
        assert company.paid() == 1


async def test_another_tenant_or_asking_is_another_request(found: Found) -> None:
    async with found() as company, company.caller() as fleet:
        await fleet.complete(QUESTION, id="invoice-42")
        await fleet.complete(QUESTION, id="invoice-42", retry=1)
        await fleet.complete(QUESTION, id="invoice-42", tenant="refunds")
        assert company.paid() == 3
