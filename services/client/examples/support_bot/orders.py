"""The shop's orders, as they stand in its database, and the one question that the bot may put to it."""
# ruff: noqa: INP001 -- a file to copy

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ORDERS = [
    ("A-1001", "ada@example.com", "teapot, blue", "delivered", "2026-11-20"),
    ("A-1002", "ada@example.com", "six cups", "on its way", "2026-11-28"),
    ("A-1003", "grace@example.com", "kettle", "waiting for stock", "2026-12-09"),
]
_TABLE = "CREATE TABLE orders (number TEXT PRIMARY KEY, customer TEXT, items TEXT, state TEXT, due TEXT)"


def create(path: Path, orders: Iterable[tuple[str, ...]] = ORDERS) -> None:
    """Fill a database, unless it is there."""
    if path.exists():
        return
    with sqlite3.connect(path) as database:
        database.execute(_TABLE)
        database.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?)", orders)
    database.close()


class Orders:
    """The orders of one customer: whoever is signed in. A model never chooses whose orders it reads.

    Args:
        path: the database.
        customer: the customer's address.
    """

    def __init__(self, path: Path, customer: str) -> None:
        self._path = path
        self._customer = customer

    def find(self, number: str) -> dict[str, Any] | None:
        """The order, if it is this customer's. Each call opens the database itself: tools run in threads."""
        database = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)
        database.row_factory = sqlite3.Row
        try:
            query = "SELECT number, items, state, due FROM orders WHERE number = ? AND customer = ?"
            found = database.execute(query, (number.strip().upper(), self._customer)).fetchone()
            return dict(found) if found else None
        finally:
            database.close()
