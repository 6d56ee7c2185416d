"""Which lane a submission comes into, and whose an idempotency key is."""

from datetime import timedelta
from typing import Final

import pytest

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import InLane, Job
from domain.jobs.repository import CompanionRefused, JobRepository
from domain.jobs.service import KEY_MOVED_ON, JobService
from domain.jobs.submission import Submission
from domain.jobs.submitting import IdempotencyMismatch, InvalidPayload, SubmissionService, SubmitResult, Submitted
from domain.jobs.transitions import IllegalTransition
from domain.lanes.lane import LaneSettings
from domain.lanes.lanes import LaneClosed, Lanes
from domain.results import StorageUnavailable
from headrace.authoring.job_type import LaneKey, Policy
from headrace.authoring.rate import Rate
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.lane_repository import FakeLaneRepository
from tests.factories import NOW, UserFactory, running
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.faulty_lane_repository import FaultyLaneRepository
from tests.fakes.handlers import Text, a_handler

KIND: Final = "text.word_count"
OWNER = UserFactory.build(id="owner-1")
ADMIN = UserFactory.build(id="admin-1", role="admin")
SECOND = timedelta(seconds=1)
WHILE = "while-unfinished"


class World:
    """The API on jobs and lanes in memory."""

    def __init__(self, policy: Policy, owner_limit: int = 0, jobs: JobRepository | None = None) -> None:
        self.stored = FakeJobRepository()
        self.jobs = jobs or self.stored
        self.store = FaultyLaneRepository(FakeLaneRepository(self.stored))
        catalogue, clock = Catalogue([a_handler(policy=policy)]), FakeClock()
        lanes = Lanes(self.jobs, self.store, catalogue, clock, half, owner_limit)
        self.service = SubmissionService(self.jobs, catalogue, clock, numbered_ids(), lanes=lanes)
        self.changes = JobService(self.jobs, catalogue, clock, lanes)

    async def submit(
        self, text: str = "x", key: str | None = None, by: object = OWNER, **fields: object
    ) -> SubmitResult:
        submission = Submission.model_validate({"type": KIND, "payload": {"text": text}, **fields})
        return await self.service.submit(submission, ADMIN if by is ADMIN else OWNER, key)

    async def accepted(self, text: str = "x", key: str | None = None, by: object = OWNER, **fields: object) -> Job:
        submitted = await self.submit(text, key, by, **fields)
        assert isinstance(submitted, Submitted), submitted
        return submitted.job


def by_text(document: Text, owner: str) -> str | None:
    return f"{owner}:{document.text}" if document.text else None


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (Policy(), None),
        (Policy(limit=3), KIND),
        (Policy(limit=3, lane="shared"), "shared"),
        (Policy(rate=Rate(1, per=SECOND), lane="shared"), "shared"),
        (Policy(limit=3, lane=by_text), "owner-1:x"),
    ],
)
async def test_the_policy_says_the_lane(policy: Policy, name: str | None) -> None:
    job = await World(policy).accepted()
    assert job.lane == (None if name is None else InLane(name=name, priority=5))


async def test_by_default_the_lane_is_the_owners_if_owners_are_limited() -> None:
    assert (await World(Policy(), owner_limit=2).accepted()).lane == InLane(name="owner:owner-1")
    assert (await World(Policy(limit=3, lane=by_text), owner_limit=2).accepted("")).lane == InLane(name="owner:owner-1")
    assert (await World(Policy(limit=3, lane=by_text)).accepted("")).lane is None


async def test_a_submission_names_a_lane_of_its_owner_alone() -> None:
    assert (await World(Policy()).accepted(lane="stripe:7", priority=9)).lane == InLane(
        name="owner-1/stripe:7", priority=9
    )
    assert (await World(Policy(priority=2)).accepted(lane="a")).lane == InLane(name="owner-1/a", priority=2)


async def test_a_submission_escapes_no_limit_by_naming_another_lane() -> None:
    for world in (World(Policy(limit=3)), World(Policy(), owner_limit=2)):
        refused = await world.submit(lane="mine")
        assert isinstance(refused, InvalidPayload)
        assert refused.flaws[0].path == ("lane",)
    assert (await World(Policy(), owner_limit=2).accepted(by=ADMIN, lane="mine")).lane == InLane(name="admin-1/mine")


def raises(document: Text, owner: str) -> str:
    raise KeyError(f"{document.text} {owner}")


@pytest.mark.parametrize(
    "lane",
    [raises, lambda _document, _owner: 7, lambda _document, _owner: "", lambda _d, _o: "owner:me", "a\nb", "x" * 201],
)
async def test_a_lane_that_cannot_be_is_a_flaw_and_no_crash(lane: str | LaneKey) -> None:
    world = World(Policy(limit=1, lane=lane))
    refused = await world.submit()
    assert isinstance(refused, InvalidPayload)
    assert refused.flaws[0].path == ("payload",)
    assert world.stored.stored == ()


async def test_a_lane_of_a_submission_has_a_name_that_can_be_shown() -> None:
    refused = await World(Policy()).submit(lane="a\u200bb")
    assert isinstance(refused, InvalidPayload)
    assert refused.flaws[0].path == ("lane",)


async def test_a_job_for_later_comes_to_its_lane_when_it_is_due() -> None:
    world = World(Policy(limit=1))
    world.store.failing = {"read", "line"}
    assert (await world.accepted(delay_seconds=60)).status == "scheduled"


async def test_a_submission_to_a_full_lane_is_blocked_at_once() -> None:
    world = World(Policy(limit=1, lane="stripe:7"))
    await world.store.save("stripe:7", LaneSettings(limit=0, version=1), 0)
    assert (await world.accepted()).status == "blocked"


async def test_a_submission_that_cannot_read_its_lane_or_comes_to_a_closed_one_is_not_accepted() -> None:
    world = World(Policy(limit=1))
    world.store.failing = {"read"}
    assert await world.submit() == OUTAGE
    world.store.failing = set()
    await world.store.save(KIND, LaneSettings(mode="draining", version=1), 0)
    assert await world.submit() == LaneClosed(lane=KIND)
    assert world.stored.stored == ()


async def test_one_that_others_were_faster_than_for_every_slot_stands_in_line() -> None:
    inner = FakeJobRepository()
    refusals = iter([True, True, True])
    refused = CompanionRefused(job_id="x", index=0)
    jobs = FaultyJobRepository(inner, on_add=lambda: refused if next(refusals, False) else None)
    assert (await World(Policy(rate=Rate(1, per=SECOND)), jobs=jobs).accepted()).status == "blocked"
    always = FaultyJobRepository(inner, on_add=lambda: refused)
    answer = await World(Policy(rate=Rate(1, per=SECOND)), jobs=always).submit()
    assert answer == StorageUnavailable(reason="throttled", detail="contended")


async def test_a_unique_key_that_others_take_each_time_is_given_up() -> None:
    always = FaultyJobRepository(FakeJobRepository(), on_add=lambda: CompanionRefused(job_id="x", index=0))
    answer = await World(Policy(), jobs=always).submit(key="one", unique=WHILE)
    assert answer == StorageUnavailable(reason="throttled", detail="contended")


async def test_a_unique_key_needs_a_key() -> None:
    refused = await World(Policy()).submit(unique=WHILE)
    assert isinstance(refused, InvalidPayload)
    assert refused.flaws[0].path == ("unique",)


async def test_a_unique_key_brings_back_the_unfinished_job_and_is_free_when_that_has_ended() -> None:
    world = World(Policy())
    first = await world.accepted(key="k", unique=WHILE)
    again = await world.submit(key="k", unique=WHILE)
    assert again == Submitted(job=first, replayed=True)
    assert await world.submit("other", key="k", unique=WHILE) == IdempotencyMismatch(key="k")
    await world.changes.cancel(first.id, OWNER)
    second = await world.accepted("other", key="k", unique=WHILE)
    assert second.id != first.id
    assert await world.changes.retry(first.id, OWNER) == IllegalTransition(
        job_id=first.id, status="cancelled", action=KEY_MOVED_ON
    )
    await world.changes.cancel(second.id, OWNER)
    retried = await world.changes.retry(second.id, OWNER)
    assert isinstance(retried, Job)
    assert retried.status == "queued"
    assert (await world.accepted("third", key="other", unique=WHILE)).id not in {first.id, second.id}


async def test_a_unique_key_whose_job_is_gone_is_free() -> None:
    world = World(Policy())
    first = await world.accepted(key="k", unique=WHILE)
    del world.stored._jobs[first.id]
    assert (await world.accepted("other", key="k", unique=WHILE)).id != first.id


async def test_a_unique_key_in_a_lane_with_a_rate_is_committed_with_the_slot() -> None:
    world = World(Policy(rate=Rate(1, per=SECOND)))
    first = await world.accepted(key="k", unique=WHILE)
    assert first.status == "scheduled"
    assert await world.submit(key="k", unique=WHILE) == Submitted(job=first, replayed=True)


async def test_without_the_store_of_lanes_a_unique_key_is_not_accepted() -> None:
    world = World(Policy())
    await world.accepted(key="k", unique=WHILE)
    world.store.failing = {"holder"}
    assert await world.submit(key="k", unique=WHILE) == OUTAGE
    bare = SubmissionService(FakeJobRepository({}), Catalogue([a_handler()]), FakeClock(), numbered_ids())
    submission = Submission(type=KIND, payload={"text": "x"}, unique=WHILE)
    refused = await bare.submit(submission, OWNER, "k")
    assert isinstance(refused, StorageUnavailable)
    unlimited = SubmissionService(FakeJobRepository(), Catalogue([a_handler()]), FakeClock(), numbered_ids())
    assert isinstance(await unlimited.submit(submission, OWNER, "k"), Submitted)
    assert await unlimited.submit(submission, OWNER, "k") == StorageUnavailable(
        reason="rejected", detail="no lanes here"
    )


async def test_a_running_job_without_a_lane_has_no_place() -> None:
    job = running()
    jobs = FakeJobRepository()
    assert await jobs.add(Change(job), NOW) == job
