"""Reports statistics: what `GET /v1/stats` says."""

from domain.jobs.repository import JobRepository
from domain.ports import Clock
from domain.results import StorageUnavailable
from domain.stats.aggregate import Aggregate
from domain.stats.report import Point, Report, WindowName, begins_of
from domain.stats.unfinished import Unfinished, unfinished


class StatsService:
    """Reports; the caller has decided who may read them."""

    def __init__(self, jobs: JobRepository, clock: Clock) -> None:
        self._jobs = jobs
        self._clock = clock

    async def report(
        self, window: WindowName, type: str | None = None, with_unfinished: bool = True
    ) -> Report | StorageUnavailable:
        """What ended in the window, and what is unfinished; of one type, if that is given."""
        now = self._clock()
        waiting: Unfinished | StorageUnavailable | None = None
        if with_unfinished:
            waiting = await unfinished(self._jobs, now, type)
        if isinstance(waiting, StorageUnavailable):
            return waiting
        begins = begins_of(window, now)
        return Report(
            window=window,
            since=begins[0],
            until=now,
            points=tuple(Point(at=at, counts={}) for at in begins),
            whole=Aggregate(),
            unfinished=waiting,
        )
