"""What a request about schedules can come to."""

from domain.flaws import Flaw
from domain.schedules.schedule import Schedule
from headrace.authoring.frozen import Frozen


class InvalidSchedule(Frozen):
    """Nothing can be planned by what was asked for."""

    flaws: tuple[Flaw, ...]


class TooManySchedules(Frozen):
    """The owner has as many schedules as one may have."""

    limit: int


class ScheduleMismatch(Frozen):
    """The idempotency key was used for another schedule."""


class Created(Frozen):
    """The schedule; `replayed` when an idempotency key brought back an earlier one."""

    schedule: Schedule
    replayed: bool = False
