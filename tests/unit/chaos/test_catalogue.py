"""The catalogue is whole, and what became of its entries is kept and told as it was."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chaos.catalogue.entry import Outcome, Verdict, entry
from chaos.catalogue.every import ENTRIES
from chaos.catalogue.record import README, RECORD, put_into, read, write_down
from chaos.catalogue.results import Results
from chaos.catalogue.table import page, table

if TYPE_CHECKING:
    from chaos.catalogue.stage import Stage

HELD = Outcome(Verdict.HELD, requests=96, recovery_s=4.25, notes={"charged": "96 for 96 ends"})
OLD = replace(HELD, broker="3.10.8")
LOST = Outcome(Verdict.BROKEN, ["lost: 1, as r"], requests=96, lost=1)
CATALOGUE = Path(__file__).parents[2] / "chaos/catalogue"


@entry(1, "a plug is pulled", "nothing is lost")
async def pulled(_stage: "Stage") -> None:
    """Nothing."""


def test_every_fault_from_1_to_60_has_an_entry_and_a_name_of_its_own():
    assert [each.number for each in ENTRIES] == list(range(1, 61))
    assert len({each.name for each in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize("path", sorted(CATALOGUE.glob("*.py")), ids=lambda path: path.name)
def test_a_family_is_short_enough_to_be_read_at_once(path: Path):
    assert len(path.read_text().splitlines()) <= 250


def test_the_last_outcome_of_an_entry_is_the_one(tmp_path: Path):
    results = Results("", tmp_path / "kept/results.jsonl")
    assert results.of(pulled) is None
    results.keep(pulled, LOST)
    results.keep(pulled, HELD)
    assert results.of(pulled) == HELD


def test_an_outcome_on_another_broker_or_of_another_entry_says_nothing(tmp_path: Path):
    Results("4", tmp_path / "results.jsonl").keep(pulled, HELD)
    results = Results("", tmp_path / "results.jsonl")
    assert results.of(pulled) is None
    results.keep(replace(pulled, name="another"), HELD)
    assert results.of(pulled) is None


def test_a_line_that_was_cut_off_by_a_kill_is_left_out(tmp_path: Path):
    file = tmp_path / "results.jsonl"
    results = Results("", file)
    results.keep(pulled, HELD)
    with file.open("a") as cut:
        cut.write('{"name": "pul')
    assert results.of(pulled) == HELD
    results.keep(pulled, LOST)
    assert results.of(pulled) == LOST


def test_a_row_tells_the_figures_and_a_broken_one_its_complaint():
    lines = table([(pulled, HELD), (pulled, LOST), (pulled, None)])
    assert lines[2] == "| 1 | pulled | a plug is pulled | 96 | 0 | 0 | 0 | 4.2 s | held |"
    assert lines[3] == "| 1 | pulled | a plug is pulled | 96 | 1 | 0 | 0 | - | BROKEN |"
    assert lines[4].endswith("| not tried |")
    assert lines[5:] == [
        "BROKEN pulled: lost: 1, as r",
        "3 entries: 1 held, 1 BROKEN, 0 out, 1 not tried",
    ]


def test_the_record_keeps_the_last_outcome_on_each_generation(tmp_path: Path):
    record = tmp_path / "record.jsonl"
    write_down({"pulled": OLD, "resets": None}, record)
    write_down({"pulled": replace(LOST, broker="4.3.6")}, record)
    write_down({"pulled": replace(HELD, broker="4.3.7")}, record)
    assert not read(record)  # what the catalogue has no entry for is nowhere told
    write_down({"resets": OLD}, record)
    write_down({"resets": replace(LOST, broker="4.3.6"), "partition": replace(LOST, broker="")}, record)
    assert read(record) == {
        "3.10": {"resets": OLD},
        "4.3": {"resets": replace(LOST, broker="4.3.6"), "partition": replace(LOST, broker="4.3.6")},
    }


def test_nothing_is_written_down_where_nothing_was_played(tmp_path: Path):
    with pytest.raises(ValueError, match="nothing was played"):
        write_down({"resets": None}, tmp_path / "record.jsonl")


def test_the_table_of_the_readme_tells_each_generation_and_why_an_entry_has_not_held():
    lines = page([pulled], {"3.10": {"pulled": OLD}, "4.3": {"pulled": replace(LOST, broker="4.3.6")}})
    assert lines[0] == "|  | name | what breaks | what must hold | RabbitMQ 3.10 | RabbitMQ 4.3 |"
    told = "held: 96 requests, recovered in 4.2 s, charged 96 for 96 ends | BROKEN: 96 requests"
    assert lines[2] == f"| 1 | `pulled` | a plug is pulled | nothing is lost | {told} |"
    assert lines[4:] == [
        "- RabbitMQ 3.10 (3.10.8): 1 entries: 1 held, 0 BROKEN, 0 out, 0 not tried",
        "- RabbitMQ 4.3 (4.3.6): 1 entries: 0 held, 1 BROKEN, 0 out, 0 not tried",
        "  - `pulled` BROKEN: lost: 1, as r",
    ]


def test_the_readme_tells_what_the_record_holds(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text(README.read_text())
    put_into(readme, RECORD)
    assert readme.read_text() == README.read_text(), "print it anew: make chaos-all ARGS=--record"
