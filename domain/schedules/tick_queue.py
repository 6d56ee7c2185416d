"""Messages of the wake queue that bring a schedule to a worker in the second of its tick, and what sends them.

A message is a reminder, as one for a job (`domain/jobs/wake_queue.py`): what is due is read from the schedule itself.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from pydantic import AwareDatetime

from domain.results import StorageUnavailable
from headrace.authoring.frozen import Stored

NEAR: Final = timedelta(minutes=3)
"""Who writes a schedule sends the message for its next tick if that is as near; the sweeps send those of later ones."""


class TickWake(Stored):
    """A schedule that ticks, and when."""

    schedule_id: str
    due: AwareDatetime


class TickQueue(Protocol):
    """Delivers each message to a worker at least once, or, rarely, not at all."""

    async def send(self, ticks: Sequence[TickWake], now: datetime) -> StorageUnavailable | None:
        """Have each schedule brought to a worker when it is due, in whole seconds after `now`, never before.

        Returns why messages were not taken, if some were not.
        """
