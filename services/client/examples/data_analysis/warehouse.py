"""A small DuckDB file of a shop's sales, and the only way in which a model may question it."""
# ruff: noqa: INP001 -- a file to copy

import threading
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

MOST_ROWS = 50
_SALES = """
CREATE TABLE sales AS
SELECT DATE '2026-01-01' + CAST(day AS INTEGER) AS day,
       ['north', 'south', 'east', 'west'][1 + day % 4] AS region,
       ['tea', 'coffee', 'cups'][1 + (day * 7) % 3] AS product,
       CAST((20 + (day * 37) % 60 + day // 10) * [5, 3, 8, 2][1 + day % 4] AS INTEGER) AS amount
FROM range(300) AS days(day)
"""


def create(path: Path) -> None:
    """Fill a file with the sales of ten months, unless it is there."""
    if path.exists():
        return
    with duckdb.connect(path) as database:
        database.execute(_SALES)


@dataclass(frozen=True, slots=True)
class Table:
    """What a statement found."""

    columns: list[str]
    rows: list[list[Any]] = field(repr=False)


class Warehouse:
    """A file that can be read and nothing else: no writing, no other file, no network, no other setting.

    Args:
        path: the DuckDB file.
        limit_s: the longest that one statement may run, in seconds.
    """

    def __init__(self, path: Path, limit_s: float) -> None:
        self._path = path
        self._limit_s = limit_s

    def describe(self) -> str:
        """The tables and their columns, for the model's instructions."""
        found = self.ask(
            "SELECT table_name, string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position) "
            "FROM information_schema.columns GROUP BY ALL ORDER BY ALL"
        )
        return "\n".join(f"{name}({columns})" for name, columns in found.rows)

    def ask(self, sql: str) -> Table:
        """The first `MOST_ROWS` rows of one SELECT; each call has a connection of its own.

        Raises:
            ValueError: the text is not one SELECT.
            TimeoutError: the statement ran too long, and was ended.
            duckdb.Error: DuckDB refuses it; the text says why.
        """
        with self._connection() as database:
            _check(database, sql)
            late = threading.Event()
            clock = threading.Timer(self._limit_s, lambda: (late.set(), database.interrupt()))
            clock.start()
            try:
                found = database.execute(sql)
                rows = [[_plain(value) for value in row] for row in found.fetchmany(MOST_ROWS)]
                return Table([column[0] for column in found.description or ()], rows)
            except duckdb.InterruptException as error:
                if late.is_set():
                    raise TimeoutError(f"the statement ran longer than {self._limit_s:g} s") from error
                raise
            finally:
                clock.cancel()
                clock.join()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        limits = {"memory_limit": "256MB", "threads": 1, "max_temp_directory_size": "0MB"}
        closed = {"enable_external_access": False, "autoinstall_known_extensions": False}
        # Locked last: a SET in a statement could open again what is closed here.
        return duckdb.connect(
            self._path, read_only=True, config={**limits, **closed, "lock_configuration": True}
        )


def _check(database: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = database.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise ValueError("write one SELECT and nothing else")


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, int | float | str | None) else str(value)
