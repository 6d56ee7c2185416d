"""Lists and counts of children, for those who look at a job."""

from datetime import datetime, timedelta

from domain.children.group import Group, new_group
from domain.children.ids import child_id
from domain.children.listing import Begun, ChildListService
from domain.children.overview import LATEST, GroupCounts, Overview
from domain.durable.listing import StepListService
from domain.durable.step import CHILDREN, ENDED, RAISED, RESULTS, STEP, Step
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.job import Job, Status, WaitFor
from domain.jobs.listing import JobSummary
from domain.jobs.repository import JobNotFound
from domain.jobs.service import JobService
from domain.jobs.why import Reason, WhyService
from domain.paging import Page, PageRequest
from domain.results import BadCursor, StorageUnavailable
from domain.users.user import User
from headrace.authoring.json_text import JsonText
from headrace.testing.child_repository import FakeCountRepository
from headrace.testing.clock import FakeClock
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.payloads import a_user
from headrace.testing.step_repository import FakeStepRepository
from tests.factories import NOW, TOKEN, queued, running, waiting
from tests.fakes.handlers import a_handler

LOST = StorageUnavailable(reason="timeout", detail="no answer")
FIRST = PageRequest(limit=20, cursor=None)


class Listing:
    """Notes which places are asked for."""

    def __init__(self) -> None:
        self.asked: tuple[str, tuple[Begun, ...], Status | None] | None = None

    async def list_children(
        self, life: str, groups: tuple[Begun, ...], status: Status | None, page: PageRequest, now: datetime
    ) -> Page[JobSummary]:
        self.asked = (life, groups, status)
        return Page(items=())


class OutOfReach(FakeStepRepository):
    """Answers nothing."""

    async def groups(self, life: str) -> tuple[Step, ...] | StorageUnavailable:  # type: ignore[override]  # as the protocol says
        return LOST

    async def find(self, life: str, key: str) -> Step | StorageUnavailable | None:  # type: ignore[override]  # likewise
        return LOST


class World:
    """A job that runs, and what its API asks."""

    def __init__(self) -> None:
        self.jobs = FakeJobRepository()
        self.steps, self.counts = FakeStepRepository(self.jobs), FakeCountRepository(self.jobs)
        self.listing, self.clock = Listing(), FakeClock()
        self.service = JobService(self.jobs, Catalogue(()), self.clock)
        self.children = ChildListService(self.service, self.steps, self.listing, self.clock)
        self.blind = ChildListService(self.service, OutOfReach(self.jobs), self.listing, self.clock)
        self.owner: User = a_user("somebody", NOW)

    async def parent(self, *groups: tuple[str, Group | None]) -> Job:
        """A running job with groups that began one after the other."""
        job = running(owner_id=self.owner.id).model_copy(update={"steps": len(groups)})
        stored = await self.jobs.add(Change(job), NOW)
        assert isinstance(stored, Job)
        for number, (name, group) in enumerate(groups):
            began_at = NOW + timedelta(seconds=number)
            step = Step(job_id=stored.life, name=name, kind=CHILDREN, attempt=1, began_at=began_at, group=group)
            await self.steps.remember(step.model_copy(update={"write_id": name}), TOKEN, NOW)
        return stored


async def test_children_are_those_of_all_groups_in_the_order_in_which_they_began() -> None:
    world = World()
    job = await world.parent(("zebras", new_group("t", 3, None, 0)), ("ants", new_group("t", 9, 2, 0)), ("old", None))
    await world.children.list(job.id, world.owner, None, "failed", FIRST)
    assert world.listing.asked == (job.life, (Begun(group="zebras", placed=3), Begun(group="ants", placed=2)), "failed")


async def test_children_are_those_of_one_group() -> None:
    world = World()
    job = await world.parent(("ants", new_group("t", 9, None, 0)), ("bees", new_group("t", 1, None, 0)))
    step = Step(job_id=job.life, name="charge", kind=STEP, attempt=1, began_at=NOW, value=JsonText("1"), write_id="c")
    await world.steps.remember(step, TOKEN, NOW)
    await world.children.list(job.id, world.owner, "ants", None, FIRST)
    assert world.listing.asked == (job.life, (Begun(group="ants", placed=9),), None)
    for name in ("charge", "unknown", ""):
        await world.children.list(job.id, world.owner, name, None, FIRST)
        assert world.listing.asked is not None
        assert not world.listing.asked[1]


async def test_what_cannot_be_read_is_said() -> None:
    world = World()
    job = await world.parent(("ants", new_group("t", 9, None, 0)))
    for group in (None, "ants"):
        assert await world.blind.list(job.id, world.owner, group, None, FIRST) == LOST
    another = a_user("another", NOW)
    assert await world.children.list(job.id, another, None, None, FIRST) == JobNotFound(job_id=job.id)
    assert await Overview(OutOfReach(world.jobs), world.counts).of(job) == LOST


async def test_counts_are_of_the_latest_groups() -> None:
    world = World()
    names = [f"call-{number}" for number in range(LATEST + 5)]
    job = await world.parent(*((name, new_group("t", 1, None, 0)) for name in names), ("old", None))
    counts = await Overview(world.steps, world.counts).of(job)
    assert not isinstance(counts, StorageUnavailable)
    assert [each.name for each in counts] == names[-LATEST + 1 :]
    assert await Overview(world.steps, world.counts).of(job.model_copy(update={"steps": 0})) == ()


async def test_a_parent_says_how_far_its_children_are() -> None:
    found: dict[str, tuple[GroupCounts, ...] | StorageUnavailable] = {}

    async def counted(job: Job) -> tuple[GroupCounts, ...] | StorageUnavailable:
        return found[job.id]

    why = WhyService(
        FakeJobRepository(), None, Catalogue((a_handler("csv.profile"),)), FakeClock(), counts=counted
    )  # fmt: skip
    job = waiting()
    owner = a_user(job.owner_id, NOW)
    for_signal = await why.why(job, owner)
    assert isinstance(for_signal, Reason)
    awaited = tuple(WaitFor(kind="children", name=name, round=0) for name in ("thumbs", "labels", "unseen"))
    parent = job.model_copy(update={"state": job.state.model_copy(update={"waits_for": awaited})})
    thumbs = GroupCounts(name="thumbs", type="t", size=200, begun=200, ended=137, failed=2)
    labels = GroupCounts(name="labels", type="t", size=1, begun=1, ended=0, failed=0)
    found[job.id] = (thumbs, labels)
    reason = await why.why(parent, owner)
    assert isinstance(reason, Reason)
    ants = "the children thumbs (137 of 200 ended, 2 of them failed) or the children labels (0 of 1 ended)"
    assert reason.text == f"it waits for {ants} or the children unseen since 2026-11-23 03:00:00 UTC"
    found[job.id] = LOST
    assert await why.why(parent, owner) == LOST


async def test_how_rounds_ended_is_not_listed_and_results_have_no_value() -> None:
    world = World()
    job = await world.parent()

    class Steps:
        async def list_steps(self, life: str, page: PageRequest, now: datetime) -> Page[Step] | BadCursor:
            if page.cursor:
                return BadCursor()
            kinds = {CHILDREN: None, ENDED: None, RAISED: JsonText("[]"), RESULTS: JsonText("[]"), STEP: JsonText("1")}
            return Page(
                items=tuple(
                    Step(job_id=life, name=kind, kind=kind, attempt=1, began_at=NOW, value=value)
                    for kind, value in kinds.items()
                ),
                next="more",
            )

    steps = StepListService(world.service, Steps(), world.clock)
    page = await steps.list(job.id, world.owner, FIRST)
    assert isinstance(page, Page)
    assert [(step.kind, step.value) for step in page.items] == [(CHILDREN, None), (RESULTS, None), (STEP, "1")]
    assert page.next == "more"
    assert await steps.list(job.id, world.owner, PageRequest(limit=1, cursor="forged")) == BadCursor()


def test_a_childs_id_is_its_own() -> None:
    job = queued()
    assert len({child_id(job.life, name, place) for name in ("a", "b") for place in range(3)}) == 6
