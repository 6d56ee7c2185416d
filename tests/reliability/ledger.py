"""Where the handlers of `functions.py` write their effects, and where a process notes that it is about to die."""

import sqlite3
from pathlib import Path
from typing import Literal

LEDGER = "RELIABILITY_LEDGER"
HANDLER_MODULE = "RELIABILITY_HANDLER"
"""Which function a process stands for: the module of its handler."""
"""The variable that names the ledger's file."""
Fault = Literal["none", "kill", "stop", "pause"]
Point = Literal["before_claim", "after_claim", "after_effect", "after_outcome"]


class Ledger:
    """Where handlers write their effects, outside of Headrace: a file that survives its writers."""

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
        """One effect without a key, and one that is made once for each key."""
        self._connection().execute("INSERT INTO effects VALUES (?)", (key,))
        self._connection().execute("INSERT OR IGNORE INTO keyed VALUES (?)", (key,))

    def first_fault(self, key: str, fault: Fault, point: Point) -> bool:
        """Whether this job's fault was not injected yet; notes it."""
        cursor = self._connection().execute("INSERT OR IGNORE INTO faults VALUES (?, ?, ?)", (key, fault, point))
        return cursor.rowcount == 1

    def committed(self, key: str, version: int, token: str, status: str) -> None:
        """A worker was told that it committed an attempt's outcome."""
        self._connection().execute("INSERT INTO commits VALUES (?, ?, ?, ?)", (key, version, token, status))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """What is in it."""
        return self._connection().execute(query).fetchall()
