"""What the domain may expect of a store of steps: on the fake, on moto's server and on MiniStack."""

from datetime import timedelta
from typing import NamedTuple

import pytest

from domain.durable.repository import LeaseEnded, StepPage, StepRepository, StepTaken
from domain.durable.step import RECEIVED, SIGNAL, STEP, TIME, TIMED_OUT, Step, signal_key, step_put
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import BlobRef, Job, WaitFor, Waiting
from domain.jobs.outcomes import Pause
from domain.jobs.repository import CompanionRefused, JobRepository
from domain.jobs.transitions import Known
from functions.runtime import LazyClient
from headrace.authoring.json_text import JsonText
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.step_repository import FakeStepRepository
from persistence.dynamodb.repositories.step_repository import DynamoStepRepository
from tests.conftest import job_repository_on, new_id
from tests.factories import NOW, POLICY, TOKEN, legal, queued

LATER = NOW + timedelta(days=400)
SECOND = timedelta(seconds=1)


class Store(NamedTuple):
    """Jobs and what they remember in one database."""

    jobs: JobRepository
    steps: StepRepository


@pytest.fixture(params=["fake", "moto", "ministack"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "fake":
        jobs = FakeJobRepository()
        return Store(jobs, FakeStepRepository(jobs))
    source = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(source, LazyClient)
    return Store(job_repository_on(source), DynamoStepRepository(source, "JobStepsTable", "JobsTable"))


async def a_running_job(store: Store) -> Job:
    job = await store.jobs.add(Change(queued()), NOW)
    assert isinstance(job, Job)
    claim = transitions.claim(job, POLICY, TOKEN, NOW + timedelta(minutes=15), NOW)
    running = await store.jobs.replace(Change(legal(claim)), job.version)
    assert isinstance(running, Job)
    return running


def a_step(job: Job, name: str = "charge", text: str = '{"cents":100}') -> Step:
    return Step(
        job_id=job.life, name=name, kind=STEP, attempt=1, began_at=NOW, ended_at=NOW + SECOND, value=JsonText(text),
        write_id=new_id(),
    )  # fmt: skip


async def test_a_step_is_remembered_as_it_was_given(store: Store) -> None:
    job = await a_running_job(store)
    ref = BlobRef(key="jobs/1/step-1", size=20_000, sha256="f" * 64)
    steps = (
        a_step(job),
        a_step(job, "exact", '{"pi":3.14159265358979,"many":123456789012345678901234567890,"empty":"","ü":null}'),
        a_step(job, "large").model_copy(update={"value": ref}),
        Step(job_id=job.life, name="approved", kind=TIMED_OUT, attempt=1, began_at=NOW, until=NOW, write_id=new_id()),
    )
    for step in steps:
        assert await store.steps.remember(step, TOKEN, LATER) == step
    assert await store.steps.remembered(job.life) == steps
    assert await store.steps.find(job.life, "charge") == steps[0]
    assert await store.steps.find(job.life, signal_key("approved")) == steps[3]
    assert await store.steps.find(job.life, "approved") is None


async def test_the_first_write_under_a_name_wins(store: Store) -> None:
    job = await a_running_job(store)
    first, second = a_step(job), a_step(job, text='{"cents":200}')
    await store.steps.remember(first, TOKEN, LATER)
    assert await store.steps.remember(second, TOKEN, LATER) == StepTaken(standing=first)
    assert await store.steps.remembered(job.life) == (first,)


async def test_the_same_write_again_is_success(store: Store) -> None:
    job = await a_running_job(store)
    step = a_step(job)
    await store.steps.remember(step, TOKEN, LATER)
    assert await store.steps.remember(step, TOKEN, LATER) == step


async def test_a_worker_without_the_lease_remembers_nothing(store: Store) -> None:
    job = await a_running_job(store)
    assert await store.steps.remember(a_step(job), "another", LATER) == LeaseEnded(job_id=job.id)
    finished = transitions.finish(job, POLICY, TOKEN, Pause(), NOW, 0.5)
    assert isinstance(await store.jobs.replace(Change(legal(finished)), job.version), Job)
    assert await store.steps.remember(a_step(job), TOKEN, LATER) == LeaseEnded(job_id=job.id)
    assert await store.steps.remembered(job.life) == ()


async def test_a_lost_lease_is_named_before_what_stands_there(store: Store) -> None:
    job = await a_running_job(store)
    await store.steps.remember(a_step(job), TOKEN, LATER)
    assert await store.steps.remember(a_step(job), "another", LATER) == LeaseEnded(job_id=job.id)


async def test_a_pause_and_what_it_remembers_are_committed_together(store: Store) -> None:
    job = await a_running_job(store)
    until = NOW + timedelta(hours=1)
    sleep = Step(job_id=job.life, name="night", kind=TIME, attempt=1, began_at=NOW, until=until)
    pause = Pause(waits_for=(WaitFor(kind=TIME, name="night"),), until=until, begun=(step_put(sleep, LATER),))
    change = transitions.finish(job, POLICY, TOKEN, pause, NOW, 0.5)
    assert isinstance(change, Change)
    stale = await store.jobs.replace(change, job.version - 1)
    assert not isinstance(stale, Job)
    assert await store.steps.remembered(job.life) == ()
    assert isinstance(await store.jobs.replace(change, job.version), Job)
    found = await store.jobs.get(job.id, NOW)
    assert isinstance(found, Job)
    assert found == change.job
    assert found.state == Waiting(since=NOW, until=until, waits_for=pause.waits_for)
    assert (found.steps, found.attempt, found.wake_at) == (1, 0, until)
    assert await store.steps.remembered(job.life) == (sleep,)


async def test_of_a_signal_and_the_end_of_its_wait_the_first_stands(store: Store) -> None:
    job = await a_running_job(store)
    signal = Step(
        job_id=job.life, name="approved", kind=RECEIVED, attempt=1, began_at=NOW, value=JsonText("1"), digest="d"
    )
    moved = transitions.signal(job, POLICY, "approved", NOW)
    assert isinstance(moved, Change)
    end = Step(job_id=job.life, name="approved", kind=TIMED_OUT, attempt=1, began_at=NOW, write_id=new_id())
    assert await store.steps.remember(end, TOKEN, LATER) == end
    refused = await store.jobs.replace(Change(moved.job, (step_put(signal, LATER),)), job.version)
    assert refused == CompanionRefused(job_id=job.id, index=0)


async def test_steps_are_paged_by_name(store: Store) -> None:
    job, other = await a_running_job(store), await a_running_job(store)
    for name in ("b", "a", "d", "c"):
        await store.steps.remember(a_step(job, name), TOKEN, LATER)
    await store.steps.remember(a_step(other, "e"), TOKEN, LATER)
    first = await store.steps.page(job.life, 3, None)
    assert isinstance(first, StepPage)
    assert [step.name for step in first.steps] == ["a", "b", "c"]
    assert first.next == "c"
    last = await store.steps.page(job.life, 3, first.next)
    assert isinstance(last, StepPage)
    assert ([step.name for step in last.steps], last.next) == (["d"], None)


async def test_what_a_job_remembers_can_be_deleted_and_nothing_else(store: Store) -> None:
    job, other = await a_running_job(store), await a_running_job(store)
    for number in range(30):
        await store.steps.remember(a_step(job, f"step-{number}"), TOKEN, LATER)
    await store.steps.remember(a_step(other), TOKEN, LATER)
    assert await store.steps.forget(job.life) is None
    assert await store.steps.remembered(job.life) == ()
    assert await store.steps.forget(job.life) is None
    found = await store.steps.remembered(other.life)
    assert isinstance(found, tuple)
    assert len(found) == 1


async def test_a_job_that_takes_the_id_of_an_expired_one_finds_nothing_of_it(store: Store) -> None:
    job = await a_running_job(store)
    await store.steps.remember(a_step(job), TOKEN, LATER)
    added = await store.jobs.add(Change(queued(job.expires_at, id=job.id)), job.expires_at)
    assert isinstance(added, Job)
    claim = transitions.claim(added, POLICY, "its-own", LATER, job.expires_at)
    again = await store.jobs.replace(Change(legal(claim)), added.version)
    assert isinstance(again, Job)
    assert (again.id, await store.steps.remembered(again.life)) == (job.id, ())
    assert await store.steps.find(again.life, "charge") is None
    step = a_step(again, text='{"cents":200}')
    assert await store.steps.remember(step, TOKEN, LATER) == LeaseEnded(job_id=job.id)
    assert await store.steps.remember(step, "its-own", LATER) == step


async def test_many_large_steps_are_all_read(store: Store) -> None:
    job = await a_running_job(store)
    for number in range(30):
        await store.steps.remember(a_step(job, f"step-{number:02}", f'"{"x" * 50_000}"'), TOKEN, LATER)
    found = await store.steps.remembered(job.life)
    assert isinstance(found, tuple)
    assert [step.name for step in found] == [f"step-{number:02}" for number in range(30)]


async def test_a_job_that_was_signalled_is_read_as_it_was_written(store: Store) -> None:
    job = await a_running_job(store)
    pause = Pause(waits_for=(WaitFor(kind=SIGNAL, name="approved"),), until=NOW + timedelta(days=7))
    waiting = transitions.finish(job, POLICY, TOKEN, pause, NOW, 0.5, Known(steps=2))
    written = await store.jobs.replace(Change(legal(waiting)), job.version)
    assert isinstance(written, Job)
    signalled = transitions.signal(written, POLICY, "approved", NOW)
    again = await store.jobs.replace(Change(legal(signalled)), written.version)
    assert isinstance(again, Job)
    assert await store.jobs.get(job.id, NOW) == again
    assert (again.status, again.signals, again.steps) == ("queued", 1, 3)
