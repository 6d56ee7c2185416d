"""A file to which the handlers of `functions.py` write their effects, and processes record their planned faults."""

import sqlite3
from pathlib import Path
from typing import Literal

LEDGER = "RELIABILITY_LEDGER"
"""The environment variable with the path of the ledger."""
HANDLER_MODULE = "RELIABILITY_HANDLER"
"""The environment variable with the module of the handler of the function that a process runs."""
Fault = Literal["none", "kill", "stop", "pause"]
Point = Literal["before_claim", "after_claim", "after_effect", "after_outcome"]


class Ledger:
    """Records effects outside Headrace, in a SQLite file that survives its writers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: list[sqlite3.Connection] = []

    def _connection(self) -> sqlite3.Connection:
        if not self._connections:
            connection = sqlite3.connect(self._path, timeout=60, isolation_level=None, check_same_thread=False)
            connection.executescript("""
                PRAGMA synchronous = OFF;
                CREATE TABLE IF NOT EXISTS effects (key TEXT);
                CREATE TABLE IF NOT EXISTS keyed (key TEXT PRIMARY KEY);
                CREATE TABLE IF NOT EXISTS faults (key TEXT PRIMARY KEY, fault TEXT, point TEXT);
                CREATE TABLE IF NOT EXISTS commits (key TEXT, version INTEGER, token TEXT, status TEXT);
            """)
            self._connections.append(connection)
        return self._connections[0]

    def effect(self, key: str) -> None:
        """Record one effect without a key, and one that is made only once per key."""
        self._connection().execute("INSERT INTO effects VALUES (?)", (key,))
        self._connection().execute("INSERT OR IGNORE INTO keyed VALUES (?)", (key,))

    def first_fault(self, key: str, fault: Fault, point: Point) -> bool:
        """Record this job's fault; return False if it was injected before."""
        cursor = self._connection().execute("INSERT OR IGNORE INTO faults VALUES (?, ?, ?)", (key, fault, point))
        return cursor.rowcount == 1

    def committed(self, key: str, version: int, token: str, status: str) -> None:
        """Record that a worker got the acknowledgement of an attempt's outcome."""
        self._connection().execute("INSERT INTO commits VALUES (?, ?, ?, ?)", (key, version, token, status))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of an SQL query."""
        return self._connection().execute(query).fetchall()
