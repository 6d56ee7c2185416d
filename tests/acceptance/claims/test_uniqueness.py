"""Claims about uniqueness and locks. The numbers are those of `../claims_of_others.md`."""

import asyncio
from datetime import timedelta

import pytest

from headrace.testing import JobStack, SubmissionRefused
from headrace.testing.stack import StackJob
from tests.acceptance.claims.conftest import HOUR, Log


async def unique(stack: JobStack, delay: timedelta | None = None, **payload: object) -> StackJob:
    """A job of which one is unfinished at a time."""
    return await stack.submit("claims.work", payload, key="customer-7", unique="while-unfinished", delay=delay)


async def test_u01_the_same_key_twice_makes_one_job_and_names_it_twice(job_stack: JobStack, log: Log) -> None:
    first = await job_stack.submit("claims.work", {}, key="order-1")
    second = await job_stack.submit("claims.work", {}, key="order-1")
    await job_stack.drain()
    assert first.id == second.id
    assert log.ran == ["job 1"]


async def test_u02_of_submissions_at_once_one_makes_the_job(job_stack: JobStack) -> None:
    jobs = await asyncio.gather(*(job_stack.submit("claims.work", {}, key="order-1") for _ in range(20)))
    more = await asyncio.gather(*(unique(job_stack) for _ in range(20)))
    assert len({job.id for job in jobs}) == len({job.id for job in more}) == 1
    assert len(job_stack.submitted()) == 2


async def test_u03_without_a_key_equal_jobs_are_two(job_stack: JobStack) -> None:
    first, second = [await job_stack.submit("claims.work", {}) for _ in range(2)]
    assert first.id != second.id


async def test_u04_other_keys_are_other_jobs(job_stack: JobStack) -> None:
    ids = {(await job_stack.submit("claims.work", {}, key=key)).id for key in ("a", "b", "A", "a ", "a")}
    assert len(ids) == 4


async def test_u05_a_key_is_its_owners_own(job_stack: JobStack) -> None:
    ids = {(await job_stack.submit("claims.work", {}, key="a", owner=owner)).id for owner in ("ada", "grace")}
    assert len(ids) == 2


@pytest.mark.parametrize(("type", "payload"), [("claims.plain", {}), ("claims.work", {"name": "another"})])
async def test_u06_a_key_that_was_used_for_another_job_is_an_error(
    job_stack: JobStack, type: str, payload: dict[str, object]
) -> None:
    await job_stack.submit("claims.work", {}, key="a")
    with pytest.raises(SubmissionRefused, match="was used for another submission"):
        await job_stack.submit(type, payload, key="a")
    assert len(job_stack.submitted()) == 1


async def test_u07_what_a_payload_leaves_to_its_defaults_makes_it_no_other(job_stack: JobStack) -> None:
    first = await job_stack.submit("claims.work", {}, key="a")
    assert (await job_stack.submit("claims.work", {"fails": 0, "name": "job"}, key="a")).id == first.id


async def test_u08_a_second_job_is_the_first_while_that_waits_for_its_time(job_stack: JobStack) -> None:
    first = await unique(job_stack, delay=HOUR)
    assert (await unique(job_stack, delay=HOUR)).id == first.id
    await job_stack.travel(minutes=59)
    assert (await unique(job_stack, delay=HOUR)).id == first.id


async def test_u09_a_second_job_is_the_first_while_that_runs(job_stack: JobStack) -> None:
    first = await unique(job_stack, does="sleep")
    await job_stack.travel(seconds=1)
    assert job_stack.job(first.id).status == "running"
    assert (await unique(job_stack, does="sleep")).id == first.id


async def test_u10_a_second_job_is_the_first_while_that_is_to_be_retried(job_stack: JobStack) -> None:
    first = await unique(job_stack, fails=1)
    await job_stack.drain()
    assert job_stack.job(first.id).status == "retrying"
    assert (await unique(job_stack, fails=1)).id == first.id


@pytest.mark.parametrize("does", ["work", "give up"])
async def test_u11_when_the_first_has_ended_there_may_be_another(job_stack: JobStack, does: str) -> None:
    first = await unique(job_stack, does=does)
    await job_stack.drain()
    second = await unique(job_stack, does=does)
    assert second.id != first.id
    await job_stack.drain()
    assert len(job_stack.submitted()) == 2


async def test_u12_when_the_first_was_cancelled_there_may_be_another(job_stack: JobStack) -> None:
    first = await unique(job_stack, delay=HOUR)
    await job_stack.cancel(first.id)
    assert (await unique(job_stack, delay=HOUR)).id != first.id


async def test_u13_an_idempotency_key_stays_its_jobs_after_the_end(job_stack: JobStack, log: Log) -> None:
    first = await job_stack.submit("claims.work", {}, key="a")
    await job_stack.travel(days=6)
    assert (await job_stack.submit("claims.work", {}, key="a")).id == first.id
    assert log.ran == ["job 1"]


async def test_u14_the_key_is_free_when_its_job_is_no_longer_kept(job_stack: JobStack, log: Log) -> None:
    await job_stack.submit("claims.work", {}, key="a")
    await job_stack.travel(days=8)
    await job_stack.submit("claims.work", {}, key="a")
    await job_stack.drain()
    assert log.ran == ["job 1", "job 1"]


async def test_u15_once_in_a_period_is_a_key_that_names_the_period(job_stack: JobStack) -> None:
    async def daily() -> str:
        return (await job_stack.submit("claims.work", {}, key=f"report {job_stack.now:%Y-%m-%d}")).id

    first = await daily()
    assert await daily() == first
    await job_stack.travel(days=1)
    assert await daily() != first


async def test_u16_a_second_submission_changes_nothing_of_the_first(job_stack: JobStack) -> None:
    first = await unique(job_stack, delay=HOUR)
    with pytest.raises(SubmissionRefused, match="was used for another submission"):
        await unique(job_stack, delay=2 * HOUR)
    assert job_stack.job(first.id).due == first.due


async def test_u17_a_finished_job_is_not_retried_while_another_has_its_key(job_stack: JobStack) -> None:
    first = await unique(job_stack, does="give up")
    await job_stack.drain()
    await unique(job_stack, does="give up")
    with pytest.raises(ValueError, match="another job has its unique key"):
        await job_stack.retry(first.id)


async def test_u18_uniqueness_without_a_key_is_refused(job_stack: JobStack) -> None:
    with pytest.raises(SubmissionRefused, match="needs an Idempotency-Key"):
        await job_stack.submit("claims.work", {}, unique="while-unfinished")


async def test_u19_of_the_jobs_of_a_lock_one_runs_at_a_time_in_their_order(job_stack: JobStack, log: Log) -> None:
    for name in ("first", "second", "third"):
        await job_stack.submit("claims.work", {"name": name, "does": "sleep once"}, lane="account-7")
    await job_stack.travel(seconds=1)
    assert sorted(job.status for job in job_stack.submitted()) == ["blocked", "blocked", "running"]
    await job_stack.travel(minutes=2)
    assert log.names() == ["first", "second", "third"]
    assert {job.status for job in job_stack.submitted()} == {"succeeded"}


async def test_u20_a_higher_priority_does_not_break_a_lock(job_stack: JobStack, log: Log) -> None:
    await job_stack.submit("claims.one", {"name": "first"}, priority=1)
    await job_stack.travel(seconds=1)
    await job_stack.submit("claims.one", {"name": "urgent"}, priority=9)
    await job_stack.travel(seconds=2)
    assert (log.names(), log.most) == (["first"], 1)
    await job_stack.travel(minutes=1)
    assert (log.names(), log.most) == (["first", "urgent"], 1)


async def test_u21_jobs_of_other_locks_or_of_none_run_beside(job_stack: JobStack) -> None:
    for lane in ("account-7", "account-8", None, None):
        await job_stack.submit("claims.work", {"does": "sleep once"}, lane=lane)
    await job_stack.travel(seconds=1)
    assert [job.status for job in job_stack.submitted()] == ["running"] * 4


async def test_u22_a_lock_is_given_back_by_a_job_that_fails(job_stack: JobStack, log: Log) -> None:
    await job_stack.submit("claims.work", {"name": "bad", "does": "give up"}, lane="account-7")
    await job_stack.submit("claims.work", {"name": "good"}, lane="account-7")
    await job_stack.travel(minutes=1)
    assert log.names() == ["bad", "good"]


async def test_u23_between_two_attempts_others_may_have_the_lock(job_stack: JobStack, log: Log) -> None:
    bad = await job_stack.submit("claims.work", {"name": "bad", "fails": 1}, lane="account-7")
    await job_stack.submit("claims.work", {"name": "good"}, lane="account-7")
    await job_stack.travel(minutes=1)
    assert (job_stack.job(bad.id).status, log.ran) == ("retrying", ["bad 1", "good 1"])
