"""Response models of the statistics routes."""

from collections.abc import Sequence
from itertools import groupby

from pydantic import BaseModel, Field

from domain.costs.cost import NOTE, Cost, How, cost_of_series
from domain.stats.aggregate import OTHERS, FailureGroup, Outcome, Series
from domain.stats.histogram import RELATIVE_ERROR, Histogram, added, percentile
from domain.stats.report import WINDOWS, Point, Report, WindowName
from domain.stats.unfinished import Unfinished
from functions.api.http.times import Moment


class CountsView(BaseModel):
    """How many attempts ended in each way; `retrying` are failed ones that another attempt follows."""

    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    retrying: int = 0


class PointView(CountsView):
    """One step of the window."""

    at: Moment = Field(description="Its beginning")


class DurationsView(BaseModel):
    """Some durations in seconds; null where there are none. Percentiles have the error `percentile_error`."""

    count: int
    mean: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class OutcomeView(BaseModel):
    """The attempts of a type that ended in one way."""

    outcome: Outcome
    count: int
    waiting: DurationsView
    running: DurationsView


class TypeView(BaseModel):
    """The attempts of one type."""

    type: str = Field(description=f"A job type, or {OTHERS} for the less frequent ones together")
    counts: CountsView
    waiting: DurationsView
    running: DurationsView
    outcomes: list[OutcomeView]
    cost_usd: float = Field(description="See `cost_note`")


class FailureView(BaseModel):
    """The jobs of one type that failed for good by one error."""

    type: str
    code: str = Field(description=f"The error's code, or {OTHERS} for the less frequent ones together")
    count: int
    last_job_id: str
    last_at: Moment


class OldestDueView(BaseModel):
    """The job that could have started the longest ago and has not."""

    job_id: str
    type: str
    status: str
    since: Moment


class UnfinishedView(BaseModel):
    """How many jobs are unfinished now, and in which states."""

    total: int
    exact: bool = Field(
        description="True up to 1,000 unfinished jobs of all types; of more, `by_status` and `total` are estimated from"
        " a sample of 1,000; beyond 8,008 they are lower bounds"
    )
    by_status: dict[str, int]
    oldest_due: OldestDueView | None


class StatsView(BaseModel):
    """What ended in a window, and what is unfinished now."""

    window: WindowName
    type: str | None
    since: Moment = Field(description="Beginning of the first step")
    until: Moment
    step_seconds: int
    recorded: bool = Field(description="False where the deployment records no statistics")
    complete: bool = Field(description="False when some of what ended is not added up yet")
    counts: CountsView
    waiting: DurationsView = Field(description="From the moment at which an attempt could have started to its start")
    running: DurationsView = Field(description="From the start of an attempt to its outcome")
    percentile_error: float = Field(description="Percentiles are within this share of the true ones, or within 1 ms")
    points: list[PointView] = Field(description="One for each step, oldest first; the last is not over")
    types: list[TypeView] = Field(description="The most frequent first")
    failures: list[FailureView] = Field(description="Final failures, by type and error, the most frequent first")
    unfinished: UnfinishedView | None = Field(description="Null with unfinished=false")
    cost_usd: float
    cost_note: str


class CostLineView(BaseModel):
    """One part of a cost."""

    what: str
    quantity: float
    unit: str
    usd: float
    how: How


class CostView(BaseModel):
    """What a job has cost so far."""

    usd: float
    lines: list[CostLineView]
    note: str


def stats_view(report: Report, type: str | None) -> StatsView:
    """Convert a report to its response model."""
    series = report.whole.series
    by_type = {name: tuple(some) for name, some in groupby(sorted(series, key=lambda each: each.type), _type_of)}
    types = [_type_view(name, some) for name, some in by_type.items()]
    return StatsView(
        window=report.window,
        type=type,
        since=report.since,
        until=report.until,
        step_seconds=int(WINDOWS[report.window].step.total_seconds()),
        recorded=report.recorded,
        complete=report.complete,
        counts=_counts(series),
        waiting=_durations(added(each.waiting for each in series)),
        running=_durations(added(each.running for each in series)),
        percentile_error=RELATIVE_ERROR,
        points=[_point_view(point) for point in report.points],
        types=sorted(types, key=lambda each: (-sum(outcome.count for outcome in each.outcomes), each.type)),
        failures=[_failure_view(group) for group in report.whole.failures],
        unfinished=_unfinished_view(report.unfinished) if report.unfinished else None,
        cost_usd=sum(each.cost_usd for each in types),
        cost_note=NOTE,
    )


def cost_view(cost: Cost) -> CostView:
    """Convert a cost to its response model."""
    return CostView(
        usd=cost.usd, lines=[CostLineView.model_validate(line.model_dump()) for line in cost.lines], note=cost.note
    )


def _type_of(series: Series) -> str:
    return series.type


def _counts(series: Sequence[Series]) -> CountsView:
    counts: dict[str, int] = {}
    for each in series:
        counts[each.outcome] = counts.get(each.outcome, 0) + each.count
    return CountsView(**counts)


def _type_view(name: str, series: tuple[Series, ...]) -> TypeView:
    return TypeView(
        type=name,
        counts=_counts(series),
        waiting=_durations(added(each.waiting for each in series)),
        running=_durations(added(each.running for each in series)),
        outcomes=[
            OutcomeView(
                outcome=each.outcome,
                count=each.count,
                waiting=_durations(each.waiting),
                running=_durations(each.running),
            )
            for each in sorted(series, key=lambda each: each.outcome)
        ],
        cost_usd=cost_of_series(series),
    )


def _durations(histogram: Histogram) -> DurationsView:
    count = histogram.count
    return DurationsView(
        count=count,
        mean=round(histogram.total_ms / count / 1000, 6) if count else None,
        p50=_seconds(histogram, 0.50),
        p90=_seconds(histogram, 0.90),
        p95=_seconds(histogram, 0.95),
        p99=_seconds(histogram, 0.99),
    )


def _seconds(histogram: Histogram, share: float) -> float | None:
    found = percentile(histogram, share)
    return None if found is None else round(found / 1000, 6)


def _point_view(point: Point) -> PointView:
    return PointView(at=point.at, **point.counts)


def _failure_view(group: FailureGroup) -> FailureView:
    return FailureView.model_validate(group.model_dump())


def _unfinished_view(found: Unfinished) -> UnfinishedView:
    return UnfinishedView(
        total=found.total,
        exact=found.exact,
        by_status=found.by_status,
        oldest_due=OldestDueView.model_validate(found.oldest_due.model_dump()) if found.oldest_due else None,
    )
