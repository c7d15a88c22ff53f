"""The questions about a database, as a person asks them, against a real broker, worker and simulator."""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fleet_simulator.faults import Fault, Kind
from harness.examples import EXAMPLES, Program, program
from harness.house import a_house

pytestmark = pytest.mark.sockets


def of_the_example(name: str) -> Any:
    """One of the example's own modules."""
    described = importlib.util.spec_from_file_location(name, EXAMPLES / f"data_analysis/{name}.py")
    assert described is not None
    assert described.loader is not None
    module = importlib.util.module_from_spec(described)
    sys.modules[name] = module  # its dataclasses look themselves up there
    described.loader.exec_module(module)
    return module


warehouse = of_the_example("warehouse")
chart = of_the_example("chart")


@pytest.fixture
def analyst(fleet_vhost: str, private_environ: Mapping[str, str], tmp_path: Path) -> Program:
    return program("data_analysis/analyst.py", fleet_vhost, private_environ, tmp_path)


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    warehouse.create(tmp_path / "sales.duckdb")
    return tmp_path / "sales.duckdb"


async def test_a_question_is_answered_by_the_databases_own_figures_and_a_chart(analyst: Program):
    async with a_house(analyst.environ["AMQP_URL"]) as house:
        ended = await analyst("How much did each region sell?")
        calls = house.simulator.log.events(kind="admitted")
    assert (ended.status, ended.complaint) == (0, "")
    with duckdb.connect(analyst.folder / "sales.duckdb", read_only=True) as database:
        query = "SELECT region, sum(amount) FROM sales GROUP BY region"
        totals = database.execute(query).fetchall()
    assert len(totals) == 4
    for region, total in totals:
        (line,) = (line for line in ended.out.splitlines() if line.strip().startswith(f"{region} █"))
        assert line.endswith(f" {total:,}")
    assert len(calls) == 2


async def test_a_question_that_nobody_answers_ends_with_the_code(analyst: Program):
    async with a_house(analyst.environ["AMQP_URL"]) as house:
        house.simulator.inject(Fault(Kind.STATUS, status=400))
        ended = await analyst("How much in each month?")
    assert ended.status == 1
    assert ended.complaint.startswith("upstream_rejected: ")


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "DROP TABLE sales",
        "INSERT INTO sales SELECT * FROM sales",
        "COPY sales TO 'stolen.csv'",
        "SELECT 1; DROP TABLE sales",
        "SET lock_configuration = false",
        "ATTACH 'other.duckdb'",
        "PRAGMA database_list",
        "INSTALL httpfs",
    ],
)
def test_nothing_but_one_select_is_run(sales: Path, sql: str):
    with pytest.raises(ValueError, match="one SELECT"):
        warehouse.Warehouse(sales, 5.0).ask(sql)


@pytest.mark.parametrize("source", ["read_csv('/etc/passwd')", "glob('/etc/*')", "'https://localhost/a.csv'"])
def test_no_other_file_is_read(sales: Path, source: str):
    with pytest.raises(duckdb.Error):
        warehouse.Warehouse(sales, 5.0).ask(f"SELECT * FROM {source}")  # noqa: S608 - that it is refused is the point


def test_a_statement_that_runs_too_long_is_ended(sales: Path):
    with pytest.raises(TimeoutError, match="longer than"):
        warehouse.Warehouse(sales, 0.2).ask("SELECT count(*) FROM range(10000000000) a, range(1000) b")


def test_of_many_rows_the_first_are_read(sales: Path):
    assert len(warehouse.Warehouse(sales, 5.0).ask("SELECT day FROM sales").rows) == 50


def test_names_and_numbers_are_drawn_as_bars_and_all_else_as_text():
    drawn = chart.drawn(["region", "total"], [["north", 20], ["east", 5]])
    assert drawn.splitlines() == [f"north {'█' * 40} 20", f" east {'█' * 10} 5"]
    assert chart.drawn(["region", "day"], [["north", "2026-01-01"]]) == "region  day\nnorth  2026-01-01"
