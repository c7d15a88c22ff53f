"""A turn in the story of one request: when it is kept, when it is not, and what comes of trouble between."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from fleet_chassis.store import StoreUnavailableError
from fleet_contracts.codes import ErrorCode
from fleet_contracts.grammar import Lane, RequestType
from fleet_worker.cancelling import Canceller
from fleet_worker.completion import CompletionError
from fleet_worker.conversations.histories import Addition, Appended, Claim, Keeping
from fleet_worker.conversations.history import History
from fleet_worker.conversations.memory import MemoryHistories
from fleet_worker.conversations.turns import FleetConversations
from fleet_worker.failing import Failing
from fleet_worker.hold import DeliveryLease, Facts, Hold
from fleet_worker.janitor import Janitor
from fleet_worker.outcome import Outcome
from fleet_worker.ports import Granted
from fleet_worker.request import ConversationKey, Request
from harness.conversations import a_claim
from harness.handlers import HI, House, whole
from harness.requests import a_request
from harness.simulated_time import in_simulated_time
from harness.waiting import until

KEY = ("acme", "talk")


def a_turn(text: str = "Hello", **changes: Any) -> Request:
    body = {"model": "deepseek-flash", "messages": [{"role": "user", "content": text}]}
    return a_request(body=body, conversation="talk", stream=False, **changes)


class Talking(House):
    """A handler whose conversations are at hand."""

    def __init__(self, *scripts: Any) -> None:
        super().__init__(*scripts)
        conversations = self.handler.conversations
        assert isinstance(conversations, FleetConversations)
        self.home = conversations.home

    async def history(self) -> History:
        return await self.home.histories.look(KEY)

    def instead(self) -> "Instead":
        self.home.histories = histories = Instead(Keeping(), self.clock, self.home.line.hear)
        return histories

    async def messages(self) -> list[Any]:
        return [message["content"] for message in (await self.history()).messages]


class Instead(MemoryHistories):
    """Histories whose append does something else first."""

    before: Callable[[], Awaitable[None]]

    async def append(self, key: ConversationKey, claim: Claim, addition: Addition) -> Appended:
        await self.before()
        return await super().append(key, claim, addition)


async def cancelling(house: Talking) -> None:
    await house.handler.ledger.cancel(("acme", "c-1", 0))


def rejected() -> CompletionError:
    return CompletionError(ErrorCode.UPSTREAM_REJECTED, "no", again=False)


async def test_a_turn_asks_with_all_that_was_said_before_and_is_kept():
    house = Talking([whole("Hi")], [whole("Good")])
    await house.handle(a_turn("Hello", correlation_id="c-1"))
    await house.handle(a_turn("How are you?", correlation_id="c-2"))
    asked = house.completions.asked[-1]
    assert [message["content"] for message in asked.body["messages"]] == ["Hello", "Hi", "How are you?"]
    assert json.loads(asked.payload) == asked.body
    assert await house.messages() == ["Hello", "Hi", "How are you?", "Good"]
    assert house.last_body()["conversation"] == {"id": "talk", "version": 2}


async def test_a_failed_turn_is_not_kept():
    house = Talking([rejected()], [whole("Hi")])
    await house.handle(a_turn(correlation_id="c-1"))
    assert await house.history() == History()
    await house.handle(a_turn(correlation_id="c-2"))
    assert (await house.history()).version == 1


async def test_a_turn_that_is_cancelled_at_its_last_word_is_not_kept():
    house = Talking([HI, whole("Hi ")])

    async def cancel() -> None:
        await asyncio.create_task(cancelling(house))

    house.completions.script(0).insert(1, cancel)
    await house.handle(a_turn())
    assert house.replies.terminals[-1].outcome == "cancelled"
    assert await house.history() == History()


async def test_a_cancel_between_append_and_commit_comes_too_late():
    house = Talking([whole("Hi")])
    histories = house.instead()

    histories.before = lambda: cancelling(house)
    await house.handle(a_turn())
    assert house.replies.terminals[-1].outcome == "result"
    assert (await house.history()).version == 1


async def test_an_answer_waits_for_a_store_that_is_away_and_is_told_when_it_is_kept():
    house = Talking([whole("Hi")])
    histories = house.instead()
    tries: list[str] = []

    async def away() -> None:
        tries.append("append")
        assert not house.replies.terminals
        if len(tries) < 3:
            raise StoreUnavailableError("away")

    histories.before = away
    assert await house.handle(a_turn()) is Outcome.DONE
    assert len(tries) == 3
    assert (await house.history()).version == 1


async def test_an_answer_whose_store_stays_away_is_told_by_nobody_and_asked_again():
    house = Talking([whole("Hi")])
    histories = house.instead()

    async def away() -> None:
        house.clock.advance(2000)
        raise StoreUnavailableError("away")

    histories.before = away
    assert await house.handle(a_turn()) is Outcome.HAND_BACK
    assert house.replies.terminals == []
    assert await house.history() == History()


async def test_a_turn_that_was_taken_over_appends_nothing_and_tells_nothing():
    house = Talking([whole("Hi")])
    histories = house.instead()

    async def superseded() -> None:
        await histories.take(KEY, a_claim("acme/c-1~0", fence=2**62))

    histories.before = superseded
    assert await house.handle(a_turn()) is Outcome.HAND_BACK
    assert house.replies.terminals == []
    assert await house.history() == History()


async def test_a_turn_finds_another_one_under_way_and_is_parked():
    house = Talking([whole("Hi")])
    house.home.hold_s = 0.05
    await house.home.histories.take(KEY, a_claim("acme/other~0"))
    assert await house.handle(a_turn()) is Outcome.DONE
    [copy] = house.rungs.copies
    assert copy.headers["fleet-parked-reason"] == "conversation"
    assert (house.completions.calls, house.replies.terminals) == (0, [])


async def test_a_turn_goes_on_as_soon_as_the_one_before_it_is_over():
    house = Talking([whole("Hi")])
    await house.home.histories.take(KEY, a_claim("acme/other~0"))
    handling = asyncio.create_task(house.handle(a_turn()))
    await until(lambda: house.home.line.waiting("acme/talk") == 1)
    await house.home.histories.release(KEY, a_claim("acme/other~0"))
    assert await handling is Outcome.DONE
    assert (await house.history()).version == 1


@in_simulated_time
async def test_where_many_wait_for_one_conversation_the_others_are_parked_at_once():
    house = Talking()
    house.home.hold_s = 1
    await house.home.histories.take(KEY, a_claim("acme/other~0"))
    waiting = [asyncio.create_task(house.handle(a_turn(correlation_id=f"c-{n}"))) for n in range(4)]
    await until(lambda: house.home.line.waiting("acme/talk") == 4)
    await house.handle(a_turn(correlation_id="c-9"))
    assert [copy.correlation_id for copy in house.rungs.copies] == ["c-9"]
    await asyncio.gather(*waiting)
    assert len(house.rungs.copies) == 5


async def test_a_turn_of_another_version_ends_as_a_conflict():
    house = Talking([whole("Hi")])
    await house.handle(a_turn(continues=3))
    assert house.last_body()["code"] == "conversation_conflict"
    assert "version 0" in house.last_body()["message"]
    assert house.completions.calls == 0


@pytest.mark.parametrize("code", [ErrorCode.CRASH_LOOP, ErrorCode.CANCELLED])
async def test_what_was_appended_before_its_worker_died_is_told_whatever_was_decided_since(code: ErrorCode):
    house = Talking([whole("Hi")])
    house.handler = replace(house.handler, ledger=_Dies(house.handler.ledger))
    with pytest.raises(RuntimeError, match="died"):
        await house.handle(a_turn())
    appended = await house.home.histories.answer(KEY, "acme/c-1~0")
    await house.home.histories.take(KEY, a_claim("acme/next~0"))
    fresh = Talking()
    fresh.home.histories = house.home.histories
    ledger, claim = fresh.handler.ledger, fresh.handler.ledger.claim

    async def stopped(request: Request, delivery: DeliveryLease) -> Any:
        granted = await claim(request, delivery)
        assert isinstance(granted, Granted)
        granted.hold.stop(CompletionError(code, "decided elsewhere", again=False))
        return granted

    fresh.handler = replace(fresh.handler, ledger=_With(ledger, stopped))
    await fresh.handle(a_turn(deliveries=1))
    assert fresh.replies.terminals[-1].body == appended
    assert fresh.completions.calls == 0


def ends(house: Talking) -> tuple[Canceller, Janitor]:
    handler = house.handler
    failing = Failing(
        ledger=handler.ledger,
        conversations=handler.conversations,
        replies=handler.replies,
        clock=handler.clock,
    )
    canceller = Canceller(
        ledger=handler.ledger, failing=failing, retrying=handler.retrying, observer=handler.observer
    )
    janitor = Janitor(
        ledger=handler.ledger,
        failing=failing,
        replies=handler.replies,
        observer=handler.observer,
        clock=handler.clock,
        longest_s=60,
    )
    return canceller, janitor


@pytest.mark.parametrize("who", ["canceller", "janitor"])
async def test_a_turn_whose_worker_died_after_the_append_ends_as_its_history_has_it(who: str):
    house = Talking([whole("Hi")])
    sound = house.handler
    house.handler = replace(sound, ledger=_Dies(sound.ledger))
    with pytest.raises(RuntimeError, match="died"):
        await house.handle(a_turn())
    house.handler = sound
    canceller, janitor = ends(house)
    if who == "canceller":
        assert await canceller.cancel(("acme", "c-1", 0)) is Outcome.DONE
    else:
        await janitor.end(a_turn(), CompletionError(ErrorCode.CRASH_LOOP, "given back", again=False))
    assert house.replies.terminals[-1].outcome == "result"
    assert house.last_body()["conversation"]["version"] == 1
    assert await house.messages() == ["Hello", "Hi"]


async def test_what_was_ended_elsewhere_is_not_appended_by_a_worker_that_stood_still_and_goes_on():
    house = Talking([whole("Hi")])
    histories = house.instead()
    facts = Facts(None, "deepseek-flash", Lane.INTERACTIVE, stream=False)
    later = Hold(
        key=("acme", "c-1", 0),
        identity="chat.v1:d:talk",
        facts=facts,
        fence=2**62,
        attempts=1,
        void=None,
        leased_until=0,
    )

    async def ended_elsewhere() -> None:
        async with house.handler.conversations.ending(later) as known:
            assert known is None

    histories.before = ended_elsewhere
    assert await house.handle(a_turn()) is Outcome.HAND_BACK
    assert (house.replies.terminals, await house.messages()) == ([], [])


class _Dies:
    """A ledger before whose commit the worker is lost."""

    def __init__(self, ledger: Any) -> None:
        self._ledger = ledger

    async def commit(self, *_: Any) -> Any:
        raise RuntimeError("died")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


class _With:
    """A ledger whose claims are taken another way."""

    def __init__(self, ledger: Any, claim: Callable[..., Awaitable[Any]]) -> None:
        self._ledger = ledger
        self.claim = claim

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)


async def test_a_history_is_read_and_cleared_without_a_call():
    house = Talking([whole("Hi")])
    await house.handle(a_turn())
    for number, action in enumerate(("history", "clear", "history")):
        asked = a_request(
            body={"action": action},
            type=RequestType.CONVERSATION,
            model="conversation",
            conversation="talk",
            stream=False,
            correlation_id=f"q-{number}",
        )
        assert await house.handle(asked) is Outcome.DONE
    bodies = [json.loads(terminal.body) for terminal in house.replies.terminals[1:]]
    assert [body["conversation"]["version"] for body in bodies] == [1, 2, 2]
    assert [len(body["messages"]) for body in bodies] == [2, 0, 0]
    assert house.completions.calls == 1
