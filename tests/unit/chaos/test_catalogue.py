"""The catalogue is whole, and what became of its entries is kept and told as it was."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chaos.catalogue.entry import Outcome, Verdict, entry
from chaos.catalogue.every import ENTRIES
from chaos.catalogue.results import Results
from chaos.catalogue.table import table

if TYPE_CHECKING:
    from chaos.catalogue.stage import Stage

HELD = Outcome(Verdict.HELD, requests=96, recovery_s=4.25, notes={"charged": "96 for 96 ends"})
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
