"""What is known of the jobs that ended in some time: by type and outcome, and the failures by error."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from pydantic import AwareDatetime

from domain.stats.histogram import Histogram, added
from headrace.authoring.frozen import Frozen

Outcome = Literal["succeeded", "failed", "cancelled", "retrying"]
"""How an attempt, or a job that was never claimed, ended: `retrying` is a failed attempt that another one follows."""

OUTCOMES: Final[tuple[Outcome, ...]] = ("succeeded", "failed", "cancelled", "retrying")


class Bounds(NamedTuple):
    """How much one aggregate tells apart."""

    series: int
    """Pairs of type and outcome."""
    failures: int
    """Pairs of type and error."""


STORED: Final = Bounds(40, 20)
"""Of one minute; sixty of them fit into an item of 400 KB."""
REPORTED: Final = Bounds(200, 100)
OTHERS: Final = "(others)"
"""The type, or the error, under which all further ones are counted together."""


class Series(Frozen):
    """The attempts of one type that ended in one way."""

    type: str
    outcome: Outcome
    count: int
    waiting: Histogram = Histogram()
    """From the moment at which each could have started to its start, where both are known."""
    running: Histogram = Histogram()
    """From each claim to its outcome."""


class FailureGroup(Frozen):
    """The failures (final ones) of one type by one error."""

    type: str
    code: str
    count: int
    last_job_id: str
    last_at: AwareDatetime


class Aggregate(Frozen):
    """What ended in some time; parts of the time add up."""

    series: tuple[Series, ...] = ()
    failures: tuple[FailureGroup, ...] = ()

    @property
    def counted(self) -> int:
        """All that ended. It only grows while more is counted, so that of two states the larger is the newer."""
        return sum(each.count for each in self.series)


def summed(parts: Iterable[Aggregate], bounds: Bounds = STORED) -> Aggregate:
    """The aggregate of all parts, with the most frequent series and failures, and all others in one."""
    series: dict[tuple[str, Outcome], list[Series]] = {}
    failures: dict[tuple[str, str], list[FailureGroup]] = {}
    for part in parts:
        for one in part.series:
            series.setdefault((one.type, one.outcome), []).append(one)
        for group in part.failures:
            failures.setdefault((group.type, group.code), []).append(group)
    return Aggregate(
        series=_bounded_series([_series(type, outcome, some) for (type, outcome), some in series.items()], bounds),
        failures=_bounded_failures([_failure(type, code, some) for (type, code), some in failures.items()], bounds),
    )


def without_details(aggregate: Aggregate) -> Aggregate:
    """The numbers alone: no durations, and no failures by error."""
    return Aggregate(
        series=tuple(Series(type=each.type, outcome=each.outcome, count=each.count) for each in aggregate.series)
    )


def of_type(aggregate: Aggregate, type: str) -> Aggregate:
    """What concerns one type."""
    return Aggregate(
        series=tuple(each for each in aggregate.series if each.type == type),
        failures=tuple(each for each in aggregate.failures if each.type == type),
    )


def _series(type: str, outcome: Outcome, parts: Iterable[Series]) -> Series:
    some = tuple(parts)
    return Series(
        type=type,
        outcome=outcome,
        count=sum(each.count for each in some),
        waiting=added(each.waiting for each in some),
        running=added(each.running for each in some),
    )


def _failure(type: str, code: str, parts: Iterable[FailureGroup]) -> FailureGroup:
    some = tuple(parts)
    last = max(some, key=lambda each: (each.last_at, each.last_job_id))
    count = sum(each.count for each in some)
    return FailureGroup(type=type, code=code, count=count, last_job_id=last.last_job_id, last_at=last.last_at)


def _bounded_series(series: list[Series], bounds: Bounds) -> tuple[Series, ...]:
    kept = sorted(series, key=lambda each: (each.type == OTHERS, -each.count, each.type, each.outcome))
    if len(kept) <= bounds.series:
        return tuple(kept)
    most, rest = kept[: bounds.series - len(OUTCOMES)], kept[bounds.series - len(OUTCOMES) :]
    by_outcome = {outcome: [each for each in rest if each.outcome == outcome] for outcome in OUTCOMES}
    return (*most, *(_series(OTHERS, outcome, some) for outcome, some in by_outcome.items() if some))


def _bounded_failures(failures: list[FailureGroup], bounds: Bounds) -> tuple[FailureGroup, ...]:
    kept = sorted(failures, key=lambda each: (each.type == OTHERS, -each.count, each.type, each.code))
    if len(kept) <= bounds.failures:
        return tuple(kept)
    return (*kept[: bounds.failures - 1], _failure(OTHERS, OTHERS, kept[bounds.failures - 1 :]))
