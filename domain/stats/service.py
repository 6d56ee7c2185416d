"""Reports statistics: what `GET /v1/stats` says."""

from datetime import datetime

from domain.jobs.repository import JobRepository
from domain.ports import Clock
from domain.results import StorageUnavailable
from domain.stats.aggregate import REPORTED, Aggregate, of_type, summed
from domain.stats.reading import Ended, StatsReader
from domain.stats.report import WINDOWS, Point, Report, WindowName, begins_of, floor
from domain.stats.repository import StatsRepository
from domain.stats.unfinished import Unfinished, unfinished


class StatsService:
    """Reports; the caller has decided who may read them. `stats` is None where none are recorded."""

    def __init__(self, jobs: JobRepository, stats: StatsRepository | None, clock: Clock) -> None:
        self._jobs = jobs
        self._reader = StatsReader(stats) if stats is not None else None
        self._clock = clock

    async def report(
        self, window: WindowName, type: str | None = None, with_unfinished: bool = True
    ) -> Report | StorageUnavailable:
        """What ended in the window, and what is unfinished; of one type, if that is given."""
        now = self._clock()
        begins = begins_of(window, now)
        ended = await self._ended(window, begins[0], now)
        if isinstance(ended, StorageUnavailable):
            return ended
        waiting: Unfinished | StorageUnavailable | None = None
        if with_unfinished:
            waiting = await unfinished(self._jobs, now, type)
        if isinstance(waiting, StorageUnavailable):
            return waiting
        parts = {at: part if type is None else of_type(part, type) for at, part in ended.parts.items()}
        counts = _counts(window, parts)
        return Report(
            window=window,
            since=begins[0],
            until=now,
            points=tuple(Point(at=at, counts=counts.get(at, {})) for at in begins),
            whole=summed(parts.values(), REPORTED),
            complete=ended.complete,
            recorded=self._reader is not None,
            unfinished=waiting,
        )

    async def _ended(self, window: WindowName, since: datetime, now: datetime) -> Ended | StorageUnavailable:
        if self._reader is None:
            return Ended(parts={}, complete=True)
        return await self._reader.ended("hour" if window == "1h" else "day", since, now)


def _counts(window: WindowName, parts: dict[datetime, Aggregate]) -> dict[datetime, dict[str, int]]:
    """The numbers of each step, by outcome."""
    counts: dict[datetime, dict[str, int]] = {}
    for at, part in parts.items():
        step = counts.setdefault(floor(at, WINDOWS[window].step), {})
        for series in part.series:
            step[series.outcome] = step.get(series.outcome, 0) + series.count
    return counts
