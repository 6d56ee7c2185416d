"""What a job costs."""

from datetime import timedelta

import pytest

from domain.costs.cost import Cost, cost_of, cost_of_series
from domain.jobs import transitions
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from domain.lanes.admission import Free
from domain.stats.aggregate import Series
from domain.stats.histogram import histogram_of
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Retry
from tests.factories import LANE, NOW, POLICY, blocked, claimed, finished, legal, queued, running

SECOND = timedelta(seconds=1)


def quantity(cost: Cost, what: str) -> float:
    return next(line.quantity for line in cost.lines if line.what == what)


def done(job: Job, seconds: float = 2) -> Job:
    return finished(job, Done(result=JsonText("1")), NOW + seconds * SECOND)


def test_a_happy_job_costs_what_the_documentation_says() -> None:
    cost = cost_of(done(running(), 0.05), NOW)
    assert quantity(cost, "writes") == 6
    assert quantity(cost, "time of attempts") == pytest.approx(0.05)
    statistics = 0.625e-6
    assert cost.usd - statistics == pytest.approx(7.01e-6, rel=0.01)


def test_time_is_counted_of_every_attempt_also_of_one_that_runs() -> None:
    first = finished(running(), Retry(reason="later", after=SECOND), NOW + 3 * SECOND)
    again = claimed(first, NOW + 10 * SECOND)
    cost = cost_of(again, NOW + 14 * SECOND)
    assert (quantity(cost, "time of attempts"), quantity(cost, "invocations")) == (7, 2)
    assert quantity(cost, "writes") == 4 + 2 + 2


def test_attempts_that_the_history_has_forgotten_are_estimated() -> None:
    job = running(max_attempts=100)
    now = NOW
    for _ in range(30):
        now += 2 * SECOND
        job = finished(job, Retry(reason="later", after=SECOND), now)
        now += 2 * SECOND
        job = claimed(job, now)
    cost = cost_of(job, now + 2 * SECOND)
    assert quantity(cost, "invocations") == 31
    assert quantity(cost, "time of attempts") == pytest.approx(62)
    assert {line.what: line.how for line in cost.lines}["time of attempts"] == "estimated"


def test_a_job_in_a_lane_costs_what_is_measured() -> None:
    at_once = cost_of(done(running(lane=LANE)), NOW)
    assert (quantity(at_once, "writes"), quantity(at_once, "reads")) == (12, 3)
    let_go = legal(transitions.unblock(blocked(), POLICY, Free(place=0), NOW))
    waited = cost_of(done(claimed(let_go)), NOW)
    assert (quantity(waited, "writes"), quantity(waited, "reads")) == (17, 6)


def test_a_job_that_never_ran_has_no_attempt() -> None:
    waiting = legal(transitions.cancel(queued(), POLICY, NOW))
    cost = cost_of(waiting, NOW)
    assert (quantity(cost, "time of attempts"), quantity(cost, "invocations")) == (0, 0)


def test_the_cost_of_a_type_counts_submissions_attempts_and_time() -> None:
    happy = Series(type="t", outcome="succeeded", count=1_000_000, running=histogram_of([50.0] * 1000))
    assert cost_of_series((happy,)) == pytest.approx(7.01 - 0.67 + 0.625, rel=0.01)
    retried = Series(type="t", outcome="retrying", count=1_000_000)
    more = cost_of_series((happy, retried)) - cost_of_series((happy,))
    assert more == pytest.approx(0.20 + 1.00 + 0.625 + 2.5 + 0.125)
