"""What statistics read from a change of a job."""

from datetime import timedelta

import pytest

from domain.jobs import transitions
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from domain.jobs.own_types import WEBHOOK_DELIVER
from domain.stats.aggregate import Series
from domain.stats.fact import Fact, aggregate_of, fact_of
from domain.stats.histogram import histogram_of
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry
from tests.factories import NOW, POLICY, claimed, failed, finished, in_every_state, legal, queued, scheduled, succeeded

SECOND = timedelta(seconds=1)


def counted(after: Job, before: Job | None = None) -> Fact:
    fact = fact_of(after, before)
    assert fact is not None
    return fact


def test_a_job_waits_from_its_queue_to_its_claim_and_then_runs() -> None:
    running = claimed(queued(), NOW + 3 * SECOND)
    after = finished(running, Done(result=JsonText("1")), NOW + 5 * SECOND)
    assert counted(after) == Fact(
        job_id=after.id, version=3, type=after.type, outcome="succeeded", at=NOW + 5 * SECOND,
        waited_ms=3000, ran_ms=2000, code=None,
    )  # fmt: skip


def test_a_delayed_job_waits_from_the_moment_at_which_it_is_due() -> None:
    running = claimed(scheduled(NOW + 60 * SECOND), NOW + 62 * SECOND)
    after = finished(running, Fail(code="boom", reason="no"), NOW + 63 * SECOND)
    fact = counted(after, running)
    assert (fact.outcome, fact.waited_ms, fact.ran_ms, fact.code) == ("failed", 2000, 1000, "boom")
    assert counted(after, None).waited_ms is None
    assert counted(after, after).waited_ms is None
    moved = running.model_copy(update={"wake_at": NOW + 90 * SECOND})
    assert counted(after, moved).waited_ms is None


def test_a_failed_attempt_that_another_follows_counts_as_retrying() -> None:
    retrying = finished(claimed(queued()), Retry(reason="later", after=10 * SECOND), NOW + SECOND)
    fact = counted(retrying)
    assert (fact.outcome, fact.at, fact.ran_ms, fact.code) == ("retrying", NOW + SECOND, 1000, None)
    again = claimed(retrying, NOW + 15 * SECOND)
    done = finished(again, Done(result=JsonText("1")), NOW + 16 * SECOND)
    assert (counted(done, again).waited_ms, counted(done, again).ran_ms) == (4000, 1000)


def test_a_job_that_no_attempt_ran_has_no_times() -> None:
    gone = legal(transitions.cancel(queued(), POLICY, NOW + SECOND))
    assert (counted(gone).waited_ms, counted(gone).ran_ms, counted(gone).outcome) == (None, None, "cancelled")


def test_of_a_history_that_was_cut_the_waiting_time_is_not_known() -> None:
    after = succeeded()
    cut = after.model_copy(update={"history": after.history[1:]})
    assert (counted(cut).waited_ms, counted(cut).ran_ms) == (None, 0)
    assert counted(after.model_copy(update={"history": after.history[2:]})).ran_ms is None


@pytest.mark.parametrize("job", in_every_state(), ids=lambda job: job.status)
def test_only_ends_of_attempts_and_jobs_count(job: Job) -> None:
    ended = job.status in {"succeeded", "failed", "cancelled", "retrying"}
    assert (fact_of(job, None) is not None) == ended


def test_deliveries_of_webhooks_do_not_count() -> None:
    assert fact_of(failed(type=WEBHOOK_DELIVER), None) is None


def test_the_statistics_of_a_fact() -> None:
    fact = counted(failed(id="job-1", type="t"))
    found = aggregate_of(fact)
    assert found.series == (
        Series(type="t", outcome="failed", count=1, waiting=histogram_of([0]), running=histogram_of([0])),
    )
    assert [(each.code, each.last_job_id) for each in found.failures] == [(fact.code, "job-1")]
    assert aggregate_of(counted(legal(transitions.cancel(queued(), POLICY, NOW)))).failures == ()
