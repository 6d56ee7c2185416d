"""What can become of a tick."""

from datetime import datetime, timedelta

from domain.results import StorageUnavailable
from domain.schedules.schedule import Problem
from headrace.authoring.frozen import Frozen


class Made(Frozen):
    """A tick's job, which another worker may have made."""

    at: datetime
    job_id: str
    late: timedelta


class Skipped(Frozen):
    """A tick without a job, because the one before it still runs."""

    at: datetime


class Dropped(Frozen):
    """Ticks that were missed, and are not made after the event."""

    count: int


class Refused(Frozen):
    """A tick whose job was not accepted."""

    problem: Problem


class PausedItself(Frozen):
    """The schedule paused: too many of its jobs have failed, or no tick is left."""

    failures: int


class NothingDue(Frozen):
    """The message was early, stale or doubled, or the schedule is paused or gone."""

    why: str


class NotTicked(Frozen):
    """The store failed; the next sweep sends another message."""

    problem: StorageUnavailable


TickOutcome = Made | Skipped | Dropped | Refused | PausedItself | NothingDue | NotTicked
