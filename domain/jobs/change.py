"""What a transition returns: the job's next version, and its companions: writes to other tables in the same commit.

A companion is pure data (`headrace/authoring/writes.py`). It names its table logically, and its item by the primary
key; the repository knows the table's real name. A further kind is a class there, a case in
`persistence/converters/companions.py` and a case in the fake; mypy names the places.
"""

from dataclasses import dataclass
from typing import Literal

from domain.jobs.job import Job
from headrace.authoring.frozen import Frozen
from headrace.authoring.writes import (
    Check,
    Condition,
    Delete,
    If,
    IfAbsent,
    IfEqual,
    IfNewer,
    Key,
    Name,
    Put,
    Update,
    Value,
    Write,
)

__all__ = [
    "MAX_COMPANIONS", "OF_USERS", "Change", "Check", "Companion", "Condition", "Delete", "FollowUp", "If", "IfAbsent",
    "IfEqual", "IfNewer", "Key", "Moved", "Name", "Put", "Update", "Value",
]  # fmt: skip

MAX_COMPANIONS = 90
"""Of one change. A DynamoDB transaction has at most 100 items, the job's included."""

OF_USERS = "user:"
"""Begins the logical name of a table that is no table of Headrace's: its real name follows."""


class FollowUp(Frozen):
    """Writes a new job beside the one that is changed, unless one that has not expired has its id."""

    job: Job
    table: Literal[""] = ""
    """The repository's own."""
    condition: IfAbsent = IfAbsent()

    @property
    def key(self) -> Key:
        """Its primary key."""
        return {"id": self.job.id}


class Moved(Frozen):
    """Writes the next version of another job beside the one that is changed, if its version is `expected_version`."""

    job: Job
    expected_version: int
    table: Literal[""] = ""
    """The repository's own."""

    @property
    def key(self) -> Key:
        """Its primary key."""
        return {"id": self.job.id}

    @property
    def condition(self) -> IfEqual:
        """That nobody else has moved it."""
        return IfEqual(attributes={"version": self.expected_version})


Companion = Write | FollowUp | Moved


@dataclass(frozen=True)
class Change:
    """A job's next version, and what is committed with it: all of it, or nothing."""

    job: Job
    companions: tuple[Companion, ...] = ()
