"""Questions in plain language about a DuckDB file: the model writes SQL, and the answer comes with a chart.

python analyst.py "How much did each region sell?"      # with AMQP_URL set
"""
# ruff: noqa: INP001, TID251, T201 -- a program to copy, whose only setting is AMQP_URL, and which talks

import argparse
import json
import os
import sys
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from chart import drawn
from pydantic import Field
from warehouse import MOST_ROWS, Warehouse, create

from fleet_client import Event, FleetError, Restarted, Text, ToolRan
from fleet_client.sync import Fleet

PATIENCE_S = 120
STATEMENT_LIMIT_S = 5.0
INSTRUCTIONS = f"""\
You answer questions about a DuckDB database. Never guess a figure: ask the database by run_sql, once or more.
For a comparison or a course of time select two columns, a name and a number, in a sensible order: they are
drawn as a chart. Of a longer result you see the first {MOST_ROWS} rows. Answer in few sentences. The tables:
"""
EXAMPLES = [
    "SELECT region, sum(amount) AS total FROM sales GROUP BY region ORDER BY total DESC",
    "SELECT product, sum(amount) AS total FROM sales GROUP BY product ORDER BY total DESC",
    "SELECT strftime(day, '%Y-%m') AS month, sum(amount) AS total FROM sales GROUP BY month ORDER BY month",
]
Sql = Annotated[str, Field(description="One SELECT in DuckDB's SQL", examples=EXAMPLES)]


def answer(question: str, warehouse: Warehouse) -> None:
    """Answer a question, and show every statement that the model had run."""

    def run_sql(sql: Sql) -> dict[str, Any]:
        """Run one SELECT and return its columns and rows."""
        # What goes wrong is told to the model, which may write a better statement.
        return asdict(warehouse.ask(sql))

    with Fleet(os.environ["AMQP_URL"], tenant="analysis") as fleet:
        conversation = fleet.conversation(
            f"analysis-{uuid.uuid4().hex}",
            system=INSTRUCTIONS + warehouse.describe(),
            tools=[run_sql],
            thinking=False,
        )
        try:
            show(conversation.stream(question, timeout_s=PATIENCE_S))
        finally:
            conversation.clear(timeout_s=PATIENCE_S)  # rows of the database are in it


def show(events: Iterable[Event]) -> None:
    """The statements, their charts, and the answer as it is written."""
    for event in events:
        match event:
            case Text(text):
                print(text, end="", flush=True)
            case Restarted():
                print("\n[once more, from the start]")
            case ToolRan(_, arguments, result, failed):
                print(f"\n{written(arguments)}\n")
                found = json.loads(result)
                print(f"[{found['error']}]" if failed else drawn(found["columns"], found["rows"]), end="\n\n")
            case _:
                pass
    print()


def written(arguments: str) -> str:
    """The statement in a call's arguments, which are as the model wrote them: perhaps no JSON at all."""
    try:
        return str(json.loads(arguments)["sql"])
    except (ValueError, LookupError, TypeError):
        return arguments


def main() -> int:
    """Run; the status of the program."""
    asked = argparse.ArgumentParser(description="Ask a DuckDB file in plain language.")
    asked.add_argument("question")
    asked.add_argument("--file", type=Path, help="a DuckDB file of yours (else one with made-up sales)")
    given = asked.parse_args()
    path = given.file or Path("sales.duckdb")
    if given.file is None:
        create(path)
    try:
        answer(given.question, Warehouse(path, STATEMENT_LIMIT_S))
    except FleetError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
