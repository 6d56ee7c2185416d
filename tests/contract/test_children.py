"""What the domain may expect of a store of children and of their counts: on the fake, moto's server and MiniStack."""

from datetime import timedelta
from typing import NamedTuple

import pytest

from domain.children.group import new_group
from domain.children.ids import partition_of
from domain.children.repository import ChildReader, ChildState, CountRepository, Tally
from domain.durable.repository import LeaseEnded, StepRepository, StepTaken
from domain.durable.step import CHILDREN, ENDED, STEP, Step, end_key, step_put
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job, Parent
from domain.jobs.repository import CompanionRefused, JobRepository
from domain.results import StorageUnavailable
from functions.runtime import LazyClient
from headrace.authoring.json_text import JsonText
from headrace.testing.child_repository import FakeChildReader, FakeCountRepository
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.step_repository import FakeStepRepository
from persistence.dynamodb.repositories.child_repository import DynamoChildReader, DynamoCountRepository
from persistence.dynamodb.repositories.step_repository import DynamoStepRepository
from tests.conftest import job_repository_on, new_id
from tests.factories import NOW, POLICY, TOKEN, legal, new_job, queued

LATER = NOW + timedelta(days=400)


class Store(NamedTuple):
    """Jobs, their children, and counts in one database."""

    jobs: JobRepository
    reader: ChildReader
    counts: CountRepository
    steps: StepRepository


@pytest.fixture(params=["fake", "moto", "ministack"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        jobs = FakeJobRepository()
        return Store(jobs, FakeChildReader(jobs), FakeCountRepository(jobs), FakeStepRepository(jobs))
    source = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(source, LazyClient)
    reader, counts = DynamoChildReader(source, "JobsTable"), DynamoCountRepository(source, "JobStepsTable")
    return Store(job_repository_on(source), reader, counts, DynamoStepRepository(source, "JobStepsTable", "JobsTable"))


def a_parent(round: int = 0) -> Parent:
    return Parent(life="p@1", group="thumbs", place=3, depth=2, round=round, index=1, size=4, keep_seconds=3_000_000)


async def a_child(store: Store, round: int = 0) -> Job:
    new = new_job(id=new_id()).model_copy(update={"parent": a_parent(round)})
    job = await store.jobs.add(transitions.submit(new, POLICY, NOW), NOW)
    assert isinstance(job, Job)
    return job


async def test_a_child_is_stored_with_its_parent(store: Store) -> None:
    child = await a_child(store)
    assert await store.jobs.get(child.id, NOW) == child
    assert child.parent == a_parent()


async def test_children_are_read_by_their_ids_and_absent_ones_left_out(store: Store) -> None:
    children = [await a_child(store, number) for number in range(3)]
    other = await store.jobs.add(Change(queued(id=new_id())), NOW)
    assert isinstance(other, Job)
    ids = (*(child.id for child in children), new_id(), other.id)
    assert await store.reader.jobs(ids) == {job.id: job for job in (*children, other)}
    states = await store.reader.states(ids)
    assert states == {
        **{
            child.id: ChildState(status="queued", expires_at=child.expires_at, round=number)
            for number, child in enumerate(children)
        },
        other.id: ChildState(status="queued", expires_at=other.expires_at, round=-1),
    }
    assert await store.reader.jobs(()) == {}


async def test_many_large_children_are_all_read(store: Store) -> None:
    ids = []
    for _ in range(60):
        child = queued(id=new_id(), payload=JsonText(f'"{"x" * 330_000}"'))
        assert isinstance(await store.jobs.add(Change(child), NOW), Job)
        ids.append(child.id)
    found = await store.reader.jobs(tuple(ids))
    for _ in range(5):
        if isinstance(found, StorageUnavailable):  # 20 MB may take longer on a busy machine than the SDK waits.
            found = await store.reader.jobs(tuple(ids))
    assert not isinstance(found, StorageUnavailable)
    assert found.keys() == set(ids)


async def test_more_than_a_hundred_are_refused(store: Store) -> None:
    ids = tuple(new_id() for _ in range(101))
    refused = await store.reader.states(ids)
    assert isinstance(refused, StorageUnavailable)
    assert refused.reason == "rejected"


async def test_members_of_sets_are_counted_once(store: Store) -> None:
    partition = partition_of(f"{new_id()}@1", "thumbs", 0)
    first = await store.counts.add(partition, "00000", Tally(ended=frozenset({1, 999})), LATER)
    assert first == Tally(ended=frozenset({1, 999}))
    more = Tally(ended=frozenset({1, 2}), failed=frozenset({2}))
    for _ in range(2):
        whole = await store.counts.add(partition, "00000", more, LATER)
        assert whole == Tally(ended=frozenset({1, 2, 999}), failed=frozenset({2}))
    await store.counts.add(partition, "full", Tally(ended=frozenset({0})), LATER)
    sets = await store.counts.counted(partition)
    assert sets == {"00000": whole, "full": Tally(ended=frozenset({0}))}
    assert await store.counts.forget(partition) is None
    assert await store.counts.counted(partition) == {}


async def test_a_hundred_full_sets_are_read(store: Store) -> None:
    partition = partition_of(f"{new_id()}@1", "thumbs", 0)
    full = Tally(ended=frozenset(range(1000)), failed=frozenset(range(1000)))
    for number in range(30):
        await store.counts.add(partition, f"{number:05}", full, LATER)
    sets = await store.counts.counted(partition)
    assert sets == {f"{number:05}": full for number in range(30)}


async def a_running_job(store: Store) -> Job:
    job = await store.jobs.add(Change(queued(id=new_id())), NOW)
    assert isinstance(job, Job)
    claim = transitions.claim(job, POLICY, TOKEN, NOW + timedelta(minutes=15), NOW)
    running = await store.jobs.replace(Change(legal(claim)), job.version)
    assert isinstance(running, Job)
    return running


async def test_how_far_a_group_is_is_written_over_under_the_lease_alone(store: Store) -> None:
    job = await a_running_job(store)
    group = new_group("image.thumb", 900, None, 0)
    step = Step(job_id=job.life, name="thumbs", kind=CHILDREN, attempt=1, began_at=NOW, group=group, write_id=new_id())
    other = Step(job_id=job.life, name="a", kind=STEP, attempt=1, began_at=NOW, write_id=new_id())
    end = Step(
        job_id=job.life, name="thumbs", kind=ENDED, attempt=1, began_at=NOW, round=0, failed="x", write_id=new_id()
    )
    for each in (step, other, end):
        assert await store.steps.remember(each, TOKEN, LATER) == each
    further = step.model_copy(
        update={"group": group.model_copy(update={"written": 200, "look_at": NOW}), "write_id": new_id()}
    )
    for _ in range(2):
        assert await store.steps.rewrite(further, TOKEN, LATER) == further
    stale = step.model_copy(update={"write_id": new_id()})
    assert await store.steps.rewrite(stale, "another", LATER) == LeaseEnded(job_id=job.id)
    assert await store.steps.find(job.life, "thumbs") == further
    assert await store.steps.find(job.life, end_key("thumbs")) == end
    assert await store.steps.groups(job.life) == (further,)


async def test_the_first_end_of_a_round_stands_until_the_next_rounds(store: Store) -> None:
    job = await a_running_job(store)

    def end(round: int, failed: str) -> Step:
        return Step(
            job_id=job.life, name="thumbs", kind=ENDED, attempt=1, began_at=NOW, round=round, failed=failed,
            write_id=new_id(),
        )  # fmt: skip

    first, second, next, late = end(1, "a"), end(1, "b"), end(2, "c"), end(1, "d")
    assert await store.steps.remember(first, TOKEN, LATER) == first
    assert await store.steps.remember(second, TOKEN, LATER) == StepTaken(standing=first)
    moved = transitions.children_ended(job, POLICY, "thumbs", 2, NOW)
    assert isinstance(moved, Change)
    told = await store.jobs.replace(Change(moved.job, (step_put(next, LATER),)), job.version)
    assert isinstance(told, Job)
    assert await store.steps.remember(late, TOKEN, LATER) == StepTaken(standing=next)
    again = transitions.children_ended(told, POLICY, "thumbs", 1, NOW)
    assert isinstance(again, Change)
    refused = await store.jobs.replace(Change(again.job, (step_put(late, LATER),)), told.version)
    assert refused == CompanionRefused(job_id=job.id, index=0)
    assert await store.steps.remembered(job.life) == (next,)
