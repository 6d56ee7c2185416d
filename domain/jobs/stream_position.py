"""How far the workers have come with the stream of the jobs table.

A trigger is lost only when the stream has passed it. A worker that lags notes where it is, one mark for each execution
environment; the sweeper leaves the triggers alone that lie ahead of the slowest. A worker that keeps up notes nothing,
so that the marks cost nothing then.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import AwareDatetime

from domain.results import StorageUnavailable
from headrace.authoring.frozen import Frozen

LAG = timedelta(seconds=10)
"""How old the oldest trigger of a batch must be for its worker to note where it is: well below `TRIGGER_PATIENCE`."""

BETWEEN_BATCHES = timedelta(seconds=10)
"""How long the mark of a finished batch holds: by then the stream has brought its next one, or has no more."""

SLACK = timedelta(seconds=5)
"""How far the clocks of those who write jobs may be apart."""


class StreamPosition(Frozen):
    """Where one execution environment of the worker is in the stream."""

    environment: str
    at: AwareDatetime
    """When the trigger was written that is the oldest of the batch under way, or the newest of a finished one."""
    until: AwareDatetime
    """After this the mark says nothing: its batch, or the pause after it, is over."""


class StreamPositions(Protocol):
    """The marks of all workers; short-lived, and read together."""

    async def note(self, position: StreamPosition) -> StorageUnavailable | None:
        """Replace the mark of its environment. A mark that cannot be written is soon replaced by the next."""

    async def current(self, now: datetime) -> tuple[StreamPosition, ...] | StorageUnavailable:
        """The marks that still hold (eventually consistent)."""


def passed(positions: Iterable[StreamPosition]) -> datetime | None:
    """The moment whose triggers all workers have passed; None when none of them lags."""
    return min((position.at for position in positions), default=None)


def is_ahead(triggered_at: datetime, passed: datetime | None) -> bool:
    """Whether a trigger that was written at `triggered_at` still waits in the stream."""
    return passed is not None and triggered_at > passed - SLACK
