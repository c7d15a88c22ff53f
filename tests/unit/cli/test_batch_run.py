"""Runs of a batch against a fleet in memory: what is asked, what is written, and when it stops."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from fleet_chassis.clock import SystemClock
from fleet_cli.batch.checking import WrongLinesError
from fleet_cli.batch.choosing import choices
from fleet_cli.batch.figures import Figures, Rate, duration, short
from fleet_cli.batch.hours import CheaperHours
from fleet_cli.batch.line import Choices
from fleet_cli.batch.money import Purse, dollars, nano
from fleet_cli.batch.progress import PlainLines, progress_on
from fleet_cli.batch.running import Ended, run_batch
from fleet_cli.batch.schema import Schema
from fleet_cli.batch.showing import advices, show_check, show_status, summary
from fleet_cli.batch.wish import Wish, default_name
from fleet_cli.wrong_input import WrongInputError
from fleet_client.testing import Asked, Fails, FakeFleet, Reply

SCHEMA = b'{"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}'


class House:
    """A batch in a folder, and the fake fleet that answers it."""

    def __init__(self, folder: Path, *prompts: str, **wish: Any) -> None:
        self.source, self.results = folder / "prompts.txt", folder / "results.jsonl"
        self.source.write_text("".join(f"{prompt}\n" for prompt in prompts))
        self.wish = wish
        self.fake = FakeFleet(otherwise="yes", chance=random.Random(1))
        self.said: list[str] = []

    def wanted(self, **changes: Any) -> Wish:
        terms: dict[str, Any] = {
            "name": "mine",
            "tenant": "default",
            "choices": Choices(),
            **self.wish,
            **changes,
        }
        return Wish(self.source, self.results, **terms)

    async def run(self, **changes: Any) -> Ended:
        clock = SystemClock()
        progress = PlainLines(clock.monotonic, self.said.append)
        return await run_batch(self.wanted(**changes), self.fake.another, progress, clock)

    def lines(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.results.read_bytes().splitlines()]

    def keys(self) -> list[str]:
        return sorted(line["custom_id"] for line in self.lines())


def says(decide: Callable[[Asked], Reply]) -> FakeFleet:
    return FakeFleet(otherwise=decide)


async def test_every_line_is_answered_in_openais_output_format(tmp_path: Path) -> None:
    house = House(tmp_path, "a?", "b?")
    ended = await house.run()
    assert ended.is_complete
    [first, second] = sorted(house.lines(), key=lambda line: line["custom_id"])
    assert (first["custom_id"], second["custom_id"]) == ("line-1", "line-2")
    assert first["error"] is None
    assert first["response"]["status_code"] == 200
    assert first["response"]["body"]["choices"][0]["message"]["content"] == "yes"
    assert summary(house.wanted(), ended).startswith(
        "batch mine: 2 lines = 2 done + 0 failed + 0 skipped; 2 + 2"
    )


async def test_a_run_that_is_complete_asks_nothing_and_changes_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, "a?", "b?")
    await house.run()
    before = house.results.read_bytes()
    house.fake.will(*["other"] * 9)
    ended = await house.run()
    assert (ended.is_complete, ended.asked) == (True, 0)
    assert house.results.read_bytes() == before
    assert len(house.fake.asked) == 2


async def test_failed_lines_stand_behind_the_answers_until_they_are_asked_anew(tmp_path: Path) -> None:
    house = House(tmp_path, "a?", "bad", "c?")
    house.fake = says(
        lambda asked: Fails("internal") if asked.prompt == "bad" and asked.retry == 0 else "yes"
    )
    ended = await house.run()
    assert (ended.figures.done, ended.figures.failed, ended.is_complete) == (2, 1, False)
    assert house.lines()[-1]["error"]["code"] == "internal"
    assert "--retry-failed" in advices(house.wanted(), ended)[0]
    assert not (await house.run()).is_complete  # without the flag it stays failed
    assert (await house.run(retry_failed=True)).is_complete
    assert house.keys() == ["line-1", "line-2", "line-3"]
    assert [asked.retry for asked in house.fake.asked if asked.prompt == "bad"] == [0, 1]


async def test_an_answer_that_does_not_fit_is_asked_again_with_what_is_wrong(tmp_path: Path) -> None:
    schema = Schema(SCHEMA, "schema.json")
    wish = {"schema": schema, "choices": choices("", "", None, thinking=None, schema=schema), "tries": 3}
    house = House(tmp_path, "Which colour?", **wish)
    house.fake = FakeFleet("red", '{"colour": 3}', '{"colour": "red"}')
    ended = await house.run()
    assert ended.is_complete
    _, second, third = house.fake.asked
    assert [message["role"] for message in second.body["messages"]] == ["system", "user", "assistant", "user"]
    assert "it is no JSON" in second.prompt
    assert 'colour: 3 is not of type "string"' in third.prompt
    # What was paid for the answers that did not fit counts too.
    assert ended.figures.prompt_tokens == 3


async def test_a_line_whose_answers_never_fit_fails_with_the_last_one(tmp_path: Path) -> None:
    schema = Schema(SCHEMA, "schema.json")
    house = House(tmp_path, "Which colour?", schema=schema, tries=2)
    house.fake = FakeFleet(otherwise="red")
    ended = await house.run()
    [line] = house.lines()
    assert (ended.figures.failed, len(house.fake.asked)) == (1, 2)
    assert line["error"]["code"] == "unexpected_answer"
    assert line["response"]["body"]["choices"][0]["message"]["content"] == "red"


@pytest.mark.parametrize("text", [b"{", b'{"type": "objec"}', b'{"$ref": "http://127.0.0.1:9/x.json"}'])
def test_what_is_no_schema_is_told_and_nothing_is_fetched(text: bytes) -> None:
    with pytest.raises(WrongInputError, match=r"schema\.json is no JSON Schema"):
        Schema(text, "schema.json")


async def test_lines_for_which_there_is_no_money_are_skipped_and_go_on_with_more(tmp_path: Path) -> None:
    house = House(tmp_path, *(f"{number}?" for number in range(30)))
    ended = await house.run(most_nano=0)
    assert (ended.figures.left, ended.stopped_by) == (30, "--max-cost is reached")
    assert "30 skipped" in summary(house.wanted(), ended)
    assert (await house.run(most_nano=nano(100))).is_complete


async def test_a_spent_budget_stops_the_batch_instead_of_failing_every_line(tmp_path: Path) -> None:
    house = House(tmp_path, *(f"{number}?" for number in range(30)), window=2)
    house.fake = FakeFleet("yes", "yes", otherwise=Fails("budget_exceeded", "The budget of 1 USD is spent."))
    ended = await house.run()
    assert ended.stopped_by == "The budget of 1 USD is spent."
    assert ended.figures.failed <= 3
    assert ended.figures.left >= 25


class Sleeper(SystemClock):
    """A clock that waits no longer than it takes to say so."""

    def __init__(self, at: datetime) -> None:
        self.at_ms = int(at.timestamp() * 1000)
        self.slept_s = 0.0

    def now_ms(self) -> int:
        return self.at_ms

    async def sleep(self, seconds: float) -> None:
        self.at_ms += int(seconds * 1000)
        self.slept_s += seconds
        await asyncio.sleep(0)


async def test_lines_are_held_back_until_the_cheaper_hours(tmp_path: Path) -> None:
    house = House(tmp_path, "a?", "b?", off_peak=True)
    clock = Sleeper(datetime(2026, 11, 26, 8, 30, tzinfo=UTC))
    progress = PlainLines(clock.monotonic, house.said.append)
    ended = await run_batch(house.wanted(), house.fake.another, progress, clock)
    assert ended.is_complete
    assert house.said == ["waits for the cheaper hours, until Thu 10:00 UTC"]
    assert clock.slept_s >= 5400


@pytest.mark.parametrize(
    ("day", "hour", "minute", "waits_min"),
    [(26, 0, 54, 0), (26, 0, 55, 185), (26, 3, 59, 1), (26, 4, 0, 0), (26, 9, 0, 60), (28, 2, 0, 0)],
)
def test_nothing_is_sent_in_the_dearer_hours_nor_shortly_before(
    day: int, hour: int, minute: int, waits_min: int
) -> None:
    at = datetime(2026, 11, day, hour, minute, tzinfo=UTC)
    assert CheaperHours().closed_for_s(int(at.timestamp() * 1000)) == waits_min * 60


async def test_lines_may_be_added_and_nothing_else_may_change(tmp_path: Path) -> None:
    house = House(tmp_path, "a?", "b?")
    await house.run()
    house.source.write_text("a?\nb?\nc?\n")
    ended = await house.run()
    assert (ended.figures.done, ended.asked) == (3, 1)
    house.source.write_text("A?\nb?\nc?\n")
    with pytest.raises(WrongInputError, match="is not what it was"):
        await house.run()


@pytest.mark.parametrize(
    "change", [{"name": "other"}, {"tenant": "other"}, {"choices": Choices(model="deepseek-v4-pro")}]
)
async def test_a_batch_is_not_gone_on_with_under_other_terms(tmp_path: Path, change: dict[str, Any]) -> None:
    house = House(tmp_path, "a?")
    await house.run()
    with pytest.raises(WrongInputError, match="was begun with another"):
        await house.run(**change)


async def test_a_wrong_file_costs_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, "a?", "{broken")
    with pytest.raises(WrongLinesError, match="1 of 2 lines") as wrong:
        await house.run()
    assert [sentence.partition(":")[0] for sentence in wrong.value.sentences] == ["line 2"]
    assert not house.fake.asked


async def test_status_and_check_say_how_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    house = House(tmp_path, "a?", "b?")
    show_check(house.wanted(), SystemClock())
    assert "2 lines (2 x deepseek-flash)" in capsys.readouterr().out
    await house.run()
    show_status(house.results, as_json=False)
    assert "2 lines = 2 done + 0 failed + 0 left" in capsys.readouterr().out
    show_status(house.results, as_json=True)
    shown = orjson.loads(capsys.readouterr().out)
    assert (shown["batch"], shown["running"], shown["done"], shown["left"]) == ("mine", False, 2, 0)


def test_a_batch_without_a_name_has_the_same_one_in_every_run(tmp_path: Path) -> None:
    one = default_name(Path("my prompts.jsonl"), tmp_path / "a.jsonl")
    assert one == default_name(Path("my prompts.jsonl"), tmp_path / "a.jsonl")
    assert one != default_name(Path("my prompts.jsonl"), tmp_path / "b.jsonl")
    assert one.startswith("my-prompts-")
    assert len(default_name(Path(f"{'x' * 300}.jsonl"), tmp_path)) <= 64


def test_until_ten_lines_have_told_what_they_cost_at_most_ten_are_under_way() -> None:
    purse = Purse(1_000_000, guess_nano=10)
    assert purse.allows(0, settled=0, under_way=9)
    assert not purse.allows(0, settled=0, under_way=10)
    assert purse.allows(100, settled=10, under_way=100)
    assert not purse.allows(999_990, settled=100_000, under_way=2)
    assert Purse(None, 10).allows(10**15, settled=0, under_way=9_999)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "0.00 USD"), (123_000, "0.00012 USD"), (1_500_000_000, "1.50 USD"), (43_000_000, "0.043 USD")],
)
def test_money_is_shown_with_two_digits_that_say_something(amount: int, shown: str) -> None:
    assert dollars(amount) == shown


def test_the_line_for_people_has_what_is_left() -> None:
    figures = Figures(1000, 90, 10, 1000, 2000, 5_000_000, rate=9.0)
    assert figures.line() == (
        "100 of 1000 lines, 90 done, 10 failed, 3.0k tokens, 0.0050 USD of about 0.050 USD, 9.0/s, "
        "1 min 40 s left"
    )
    assert (short(12), short(2_500_000), duration(59), duration(7300)) == ("12", "2.5M", "59 s", "2 h 1 min")


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    rate = Rate()
    for second in range(100):
        found = rate.of(float(second), second * (1 if second < 50 else 4))
    assert found == pytest.approx(4, rel=0.05)  # pyright: ignore[reportPossiblyUnboundVariable]


def test_plain_lines_come_every_ten_seconds() -> None:
    now, said = [0.0], list[str]()
    lines = PlainLines(lambda: now[0], said.append)
    for second in range(25):
        now[0] = float(second)
        lines.show(Figures(10, second // 5, 0, 0, 0, 0))
    assert len(said) == 2


def test_a_bar_shows_the_figures_and_gives_the_terminal_back() -> None:
    screen = StringIO()
    bar = progress_on(Console(file=screen, force_terminal=True, width=150), lambda: 0.0)
    with suppress(ZeroDivisionError), bar:
        bar.show(Figures(10, 3, 1, 1000, 2000, 5_000_000))
        bar.note("waits for something")
        raise ZeroDivisionError
    assert "4 of 10 lines, 3 done, 1 failed" in screen.getvalue()
    assert "waits for something" in screen.getvalue()
    assert screen.getvalue().rfind("\x1b[?25h") > screen.getvalue().rfind("\x1b[?25l")
    assert isinstance(progress_on(Console(file=StringIO()), lambda: 0.0), PlainLines)
