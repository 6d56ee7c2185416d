"""An owner's quota of unfinished jobs and of submissions a minute."""

from datetime import timedelta

import pytest
from pydantic import ValidationError

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.following import Checker, FollowUps
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService, SubmitResult, Submitted
from domain.quotas.quotas import QuotaExceeded, Quotas
from domain.secrets.hidden import Hidden
from domain.users.quota import Quota
from domain.users.user import User
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import FakeClock, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, UserFactory, claimed, finished
from tests.fakes.handlers import a_handler
from tests.fakes.usage import OUTAGE, FakeUsage

TWO = Quota(unfinished=2)
TWO_A_MINUTE = Quota(submissions_per_minute=2)


class World:
    """A service with a default quota, and one owner."""

    def __init__(self, default: Quota, own: Quota | None = None) -> None:
        self.jobs, self.clock = FakeJobRepository(), FakeClock(NOW)
        self.usage = FakeUsage(self.jobs)
        quotas = Quotas(self.usage, default, self.clock)
        self.service = SubmissionService(self.jobs, Catalogue([a_handler()]), self.clock, numbered_ids(), quotas=quotas)
        self.owner: User = UserFactory.build(quota=own or Quota())

    async def submit(self, key: str | None = None) -> SubmitResult:
        return await self.service.submit(Submission(type="text.word_count", payload={}), self.owner, key)

    async def accepted(self, key: str | None = None) -> Job:
        submitted = await self.submit(key)
        assert isinstance(submitted, Submitted)
        return submitted.job

    async def end(self, job: Job) -> None:
        running = claimed(job)
        await self.jobs.replace(Change(running), job.version)
        await self.jobs.replace(Change(finished(running, Done(result=JsonText("{}")))), running.version)


async def test_one_more_job_is_accepted_when_one_has_ended() -> None:
    world = World(TWO)
    first, _ = await world.accepted(), await world.accepted()
    assert first.counted
    assert await world.submit() == QuotaExceeded(kind="unfinished", limit=2, retry_after=10)
    await world.end(first)
    await world.accepted()


async def test_a_minute_has_so_many_submissions_and_the_next_as_many() -> None:
    world = World(TWO_A_MINUTE)
    world.clock.now = NOW.replace(second=12, microsecond=0)
    assert not (await world.accepted()).counted
    await world.accepted()
    assert await world.submit() == QuotaExceeded(kind="submissions_per_minute", limit=2, retry_after=48)
    world.clock.now += timedelta(seconds=48)
    await world.accepted()


async def test_what_an_admin_has_decided_of_a_user_goes_before_the_default() -> None:
    unlimited = World(Quota(unfinished=1, submissions_per_minute=1), Quota(unfinished=0, submissions_per_minute=0))
    for _ in range(3):
        assert not (await unlimited.accepted()).counted
    assert unlimited.usage.asked == []
    limited = World(Quota(unfinished=0, submissions_per_minute=0), Quota(unfinished=1))
    await limited.accepted()
    assert isinstance(await limited.submit(), QuotaExceeded)


async def test_without_quotas_nothing_is_asked_and_nothing_marked() -> None:
    world = World(Quota())
    assert not (await world.accepted()).counted
    assert world.usage.asked == []


async def test_a_replay_is_answered_whatever_the_quota() -> None:
    world = World(Quota(unfinished=1))
    job = await world.accepted("key")
    assert await world.submit("key") == Submitted(job=job, replayed=True)
    assert isinstance(await world.submit("another"), QuotaExceeded)


async def test_a_job_that_does_not_fit_is_not_counted_against_the_minute() -> None:
    world = World(Quota(unfinished=1, submissions_per_minute=5))
    await world.accepted()
    assert isinstance(await world.submit(), QuotaExceeded)
    assert world.usage.submissions.total() == 1


@pytest.mark.parametrize("method", ["unfinished", "take"])
async def test_what_cannot_be_counted_is_not_accepted(method: str) -> None:
    world = World(Quota(unfinished=2, submissions_per_minute=2))
    world.usage.failing = {method}
    assert await world.submit() == OUTAGE
    assert world.jobs.stored == ()


@pytest.mark.parametrize("default", [Quota(unfinished=3), Quota()])
async def test_a_job_that_is_submitted_with_a_result_counts_as_the_one_that_submits_it(default: Quota) -> None:
    world = World(default)
    parent = await world.accepted()
    checker = Checker(claimed(parent), Hidden(), lambda _: a_handler().definition, world.clock, 0)
    follow_ups = FollowUps(claimed(parent), checker, world.clock)
    for name in "abc":
        follow_ups.add("text.word_count", {}, name, None, None)
    assert [each.job.counted for each in follow_ups.all] == [parent.counted] * 3 == [bool(default.unfinished)] * 3
    done = finished(claimed(parent), Done(result=JsonText("{}")))
    await world.jobs.replace(Change(done, follow_ups.all), parent.version)
    assert isinstance(await world.submit(), QuotaExceeded if default.unfinished else Submitted)


def test_limits_are_bounded() -> None:
    for wrong in ({"unfinished": -1}, {"unfinished": 10_001}, {"submissions_per_minute": 60_001}):
        with pytest.raises(ValidationError):
            Quota.model_validate(wrong)
