"""The steps on a conversation, in the memory of one process and in a real store: one suite for both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_worker.conversations.histories import (
    Answered,
    Appended,
    Busy,
    Differs,
    Histories,
    Keeping,
    Lost,
    TakeAnswer,
    Taken,
)
from fleet_worker.conversations.history import History, Said, entry_of
from fleet_worker.conversations.memory import MemoryHistories
from fleet_worker.conversations.store import StoreHistories
from harness.conversations import a_claim, an_addition, assistant, calls, tool, user
from harness.waiting import until, until_so

pytestmark = pytest.mark.sockets

KEY = ("acme", "support {9} \n~é")
CHANNEL = "fleet:turns:a"
ROUNDED_MS = 5


@dataclass
class Place:
    """Histories somewhere, what was told to the channel of worker a, and how to lose them all."""

    new: Callable[[Keeping], Histories]
    heard: list[bytes]
    lose: Callable[[], Awaitable[object]]

    @property
    def histories(self) -> Histories:
        return self.new(Keeping())


@pytest.fixture(params=["memory", "store"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    heard: list[bytes] = []
    clock = SystemClock()
    if request.param == "memory":
        kept: list[MemoryHistories] = []

        def in_memory(keeping: Keeping) -> Histories:
            kept.append(MemoryHistories(keeping, clock, heard.append))
            return kept[-1]

        async def lose() -> None:
            for each in kept:
                each.__init__(Keeping(), clock, heard.append)

        yield Place(in_memory, heard, lose)
        return
    async with AsyncExitStack() as ends:
        url = await request.getfixturevalue("store").fresh_database()
        store = await ends.enter_async_context(open_store(url, timeout_s=5, clock=clock))
        await store.listen(CHANNEL, heard.append)
        yield Place(
            lambda keeping: StoreHistories(store, "test", keeping), heard, lambda: store.command("FLUSHDB")
        )


async def taken(answer: Awaitable[TakeAnswer]) -> History:
    found = await answer
    assert isinstance(found, Taken), found
    return found.history


def said(number: int, text: str = "") -> Said:
    return Said(f"acme/t-{number}~0", [user(text or f"question {number}"), assistant(f"answer {number}")])


async def append(histories: Histories, turn: Said, answer: bytes = b"{}") -> History:
    claim = a_claim(turn.turn)
    history = await taken(histories.take(KEY, claim))
    assert await histories.append(KEY, claim, an_addition(history, turn, answer)) is Appended.APPENDED
    return await histories.look(KEY)


async def test_turns_are_kept_in_the_order_in_which_they_were_appended(place: Place):
    histories = place.histories
    assert await histories.look(KEY) == History()
    for number in range(1, 4):
        assert (await append(histories, said(number))).version == number
    assert (await histories.look(KEY)).turns == [said(1), said(2), said(3)]


async def test_of_two_turns_one_waits_and_is_told(place: Place):
    histories = place.histories
    first = await taken(histories.take(KEY, a_claim()))
    other = a_claim("acme/t-2~0")
    busy = await histories.take(KEY, other)
    assert isinstance(busy, Busy)
    assert 0 < busy.left_ms <= 15_000
    await histories.append(KEY, a_claim(), an_addition(first, said(1)))
    await until(lambda: place.heard == [b"turn " + "/".join(KEY).encode()])
    assert (await taken(histories.take(KEY, other))).turns == [said(1)]


async def test_a_turn_that_is_released_leaves_the_history_as_it_was_and_tells_who_waits(place: Place):
    histories = place.histories
    before = await append(histories, said(1))
    await taken(histories.take(KEY, a_claim("acme/t-2~0")))
    await histories.take(KEY, a_claim("acme/t-3~0"))
    await histories.release(KEY, a_claim("acme/t-2~0"))
    await until(lambda: len(place.heard) == 1)
    assert await histories.look(KEY) == before
    assert (await taken(histories.take(KEY, a_claim("acme/t-3~0")))).version == 1


async def test_conversations_and_tenants_stand_in_nobodys_way(place: Place):
    histories = place.histories
    await taken(histories.take(KEY, a_claim()))
    for other in (("acme", "another"), ("beta", KEY[1])):
        assert await taken(histories.take(other, a_claim("x"))) == History()


async def test_a_turn_that_is_asked_twice_is_appended_once(place: Place):
    histories = place.histories
    claim = a_claim()
    history = await taken(histories.take(KEY, claim))
    addition = an_addition(history, said(1), b"the answer")
    for _ in range(3):
        assert await histories.append(KEY, claim, addition) is Appended.APPENDED
    assert (await histories.look(KEY)).turns == [said(1)]


async def test_who_takes_an_appended_turn_again_is_given_its_answer(place: Place):
    histories = place.histories
    await append(histories, said(1), b"the answer")
    await append(histories, said(2))
    again = a_claim(said(1).turn, fence=2)
    assert await histories.answer(KEY, again.turn) == b"the answer"
    assert await histories.take(KEY, again) == Answered(b"the answer")
    await histories.forget_answer(KEY, again.turn)
    assert await histories.take(KEY, again) == Answered(None)
    assert len((await histories.look(KEY)).turns) == 2


async def test_a_superseded_worker_can_not_append(place: Place):
    histories = place.histories
    old, new = a_claim(fence=1), a_claim(fence=2)
    history = await taken(histories.take(KEY, old))
    await taken(histories.take(KEY, new))
    late = an_addition(history, said(1, "of the old worker"))
    assert await histories.append(KEY, old, late) is Appended.LOST
    assert isinstance(await histories.take(KEY, old), Lost)
    assert not await histories.keep(KEY, old)
    await histories.release(KEY, old)
    assert await histories.keep(KEY, new)
    # Nor can it where the newer one gave up: its request has failed, and must leave nothing behind.
    await histories.release(KEY, new)
    assert await histories.append(KEY, old, late) is Appended.LOST
    assert await histories.look(KEY) == History()


async def test_a_turn_whose_lease_has_ended_loses_its_place_to_whoever_asks(place: Place):
    histories = place.new(Keeping(lease_s=0.1))
    history = await taken(histories.take(KEY, a_claim()))
    other = a_claim("acme/t-2~0")
    async with asyncio.timeout(10):
        # A store tells nobody that a lease has ended.
        while not isinstance(await histories.take(KEY, other), Taken):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert await histories.append(KEY, a_claim(), an_addition(history, said(1))) is Appended.LOST


async def test_a_turn_that_is_renewed_keeps_its_place(place: Place):
    lease_s, now = 60.0, SystemClock().monotonic
    histories = place.new(Keeping(lease_s=lease_s))
    await taken(histories.take(KEY, a_claim()))
    began = now()

    async def has_longer_than_its_first_lease() -> bool:
        passed_ms = (now() - began) * 1000
        assert await histories.keep(KEY, a_claim())
        busy = await histories.take(KEY, a_claim("acme/t-2~0"))
        assert isinstance(busy, Busy)
        return busy.left_ms > lease_s * 1000 - passed_ms + ROUNDED_MS

    await until_so(has_longer_than_its_first_lease)


async def test_a_turn_that_names_a_version_goes_on_from_that_one_only(place: Place):
    histories = place.histories
    await append(histories, said(1))
    for wrong in (0, 2):
        claim = a_claim("acme/t-2~0", continues=wrong)
        assert await histories.take(KEY, claim) == Differs(1)
    assert (await taken(histories.take(KEY, a_claim("acme/t-2~0", continues=1)))).version == 1


async def test_the_oldest_exchanges_are_forgotten_where_it_grows_too_large_and_none_is_split(place: Place):
    exchange = [
        Said("acme/t-1~0", [user("look"), calls("c-1")]),
        Said("acme/t-2~0", [tool("c-1"), assistant("found")]),
    ]
    later = [said(number, "x" * 200) for number in range(3, 6)]
    size = sum(len(entry_of(turn)) for turn in [*exchange, *later])
    histories = place.new(Keeping(most_bytes=size - 1))
    for turn in [*exchange, *later[:-1]]:
        await append(histories, turn)
    history = await append(histories, later[-1])
    assert history.turns == later
    assert history.version == 5
    tiny = place.new(Keeping(most_bytes=1))
    key = ("acme", "tiny")
    one = await taken(tiny.take(key, a_claim("a")))
    await tiny.append(key, a_claim("a"), an_addition(one, Said("a", [user("stays")])))
    assert len((await tiny.look(key)).turns) == 1


async def test_a_cleared_conversation_is_empty_and_its_version_goes_on(place: Place):
    histories = place.histories
    for number in range(1, 3):
        await append(histories, said(number))
    clearing = a_claim("acme/clear~0")
    history = await taken(histories.take(KEY, clearing))
    for _ in range(2):
        assert await histories.clear(KEY, clearing, history.version + 1, b"cleared") is Appended.APPENDED
    assert await histories.look(KEY) == History(3, 4, [], [])
    await append(histories, said(3))
    # The clear that comes again clears nothing of what was said since.
    assert await histories.take(KEY, a_claim("acme/clear~0", fence=9)) == Answered(b"cleared")
    after = await histories.look(KEY)
    assert (after.version, after.sent) == (4, [said(3)])


async def test_a_store_that_lost_a_conversation_during_a_turn_is_told_all_of_it(place: Place):
    histories = place.histories
    await append(histories, said(1))
    claim = a_claim("acme/t-2~0")
    history = await taken(histories.take(KEY, claim))
    await place.lose()
    system = [{"role": "system", "content": "Be brief."}]
    addition = an_addition(history, said(2), system=system)
    assert await histories.append(KEY, claim, addition) is Appended.APPENDED
    after = await histories.look(KEY)
    assert (after.version, after.turns, after.system) == (2, [said(1), said(2)], system)


async def test_a_conversation_that_nobody_goes_on_with_is_forgotten(place: Place):
    histories = place.new(Keeping(kept_s=0.1))
    await append(histories, said(1))
    async with asyncio.timeout(10):
        while await histories.look(KEY) != History():  # noqa: ASYNC110 - nobody tells that a key expired
            await asyncio.sleep(0.02)


async def test_thousands_of_turns_are_read_at_once(place: Place):
    histories = place.histories
    for number in range(9):
        await append(histories, said(number))
    claim = a_claim("acme/last~0")
    history = await taken(histories.take(KEY, claim))
    await place.lose()
    many = History(9000, 1, [], [said(number) for number in range(9000)])
    assert await histories.append(KEY, claim, an_addition(many, said(9001))) is Appended.APPENDED
    assert len((await taken(histories.take(KEY, a_claim("acme/next~0")))).turns) == 9001
    assert history.version == 9
