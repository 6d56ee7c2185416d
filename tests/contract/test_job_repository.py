"""The conformance suite of `JobRepository`, for the fake, moto's server and MiniStack."""

import asyncio
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job, Running, Succeeded, loaded
from domain.jobs.outcomes import Done
from domain.jobs.repository import (
    DueJob,
    DuePage,
    DueState,
    JobExists,
    JobNotFound,
    JobRepository,
    VersionConflict,
)
from domain.results import ItemTooLarge
from functions.runtime import LazyClient
from headrace.authoring.json_text import from_json_text, to_json_text
from headrace.authoring.outcomes import Retry
from headrace.testing.job_repository import FakeJobRepository
from persistence.converters.dynamo_to_domain import wake_shard
from tests.conftest import job_repository_on, new_id
from tests.factories import (
    NOW,
    POLICY,
    asked_to_stop,
    cancelled,
    claimed,
    failed,
    finished,
    legal,
    queued,
    retrying,
    running,
    scheduled,
    succeeded,
)

SECOND = timedelta(seconds=1)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def repository(request: pytest.FixtureRequest) -> JobRepository:
    if request.param == "fake":
        return FakeJobRepository()
    client = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(client, LazyClient)
    return job_repository_on(client)


@pytest.fixture(params=["fake", "moto", "ministack"])
def jobs(request: pytest.FixtureRequest) -> JobRepository:
    return repository(request)


@pytest.fixture(params=["fake", "ministack"])
def raced_jobs(request: pytest.FixtureRequest) -> JobRepository:
    """Without moto, whose server checks a condition and writes without a lock between its threads."""
    return repository(request)


@pytest.mark.parametrize(
    "job",
    [
        queued(),
        queued(traceparent=TRACEPARENT),
        scheduled(),
        running(),
        asked_to_stop(),
        retrying(),
        succeeded(),
        failed(),
        cancelled(),
    ],
    ids=lambda job: job.status,
)
async def test_a_job_in_any_state_is_read_back_as_it_was_stored(jobs: JobRepository, job: Job) -> None:
    fresh = Job.model_validate({**dict(job), "id": new_id()})
    assert await jobs.add(Change(fresh), NOW) == fresh
    assert await jobs.get(fresh.id, NOW) == fresh


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda children: st.lists(children) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), children),
    max_leaves=10,
)


@given(payload=json_values, result=json_values)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_json_payload_and_result_are_returned_exactly(
    jobs: JobRepository, payload: JsonValue, result: JsonValue
) -> None:
    job = queued(id=new_id(), payload=to_json_text(payload))
    await jobs.add(Change(job), NOW)
    done = finished(claimed(job), Done(result=to_json_text(result)))
    await jobs.replace(Change(done), job.version)
    found = await jobs.get(job.id, NOW)
    assert isinstance(found, Job)
    assert isinstance(found.state, Succeeded)
    assert repr(from_json_text(loaded(found.payload))) == repr(payload)
    assert repr(from_json_text(loaded(found.state.result))) == repr(result)


async def test_a_job_that_was_never_stored_is_not_found(jobs: JobRepository) -> None:
    assert await jobs.get("nobody", NOW) == JobNotFound(job_id="nobody")


async def test_of_two_jobs_with_one_id_the_first_is_kept(jobs: JobRepository) -> None:
    first = queued(id=new_id())
    second = queued(id=first.id, owner_id="owner-2")
    await jobs.add(Change(first), NOW)
    assert await jobs.add(Change(second), NOW) == JobExists(current=first)
    assert await jobs.get(first.id, NOW) == first


async def test_an_expired_job_is_absent_and_its_id_is_free_again(jobs: JobRepository) -> None:
    old = succeeded(id=new_id(), owner_id=new_id())
    await jobs.add(Change(old), NOW)
    assert await jobs.get(old.id, old.expires_at - SECOND) == old
    assert await jobs.get(old.id, old.expires_at) == JobNotFound(job_id=old.id)
    fresh = queued(now=old.expires_at, id=old.id)
    assert await jobs.add(Change(fresh), old.expires_at) == fresh
    assert await jobs.get(old.id, old.expires_at) == fresh


async def test_a_change_needs_the_version_that_it_was_made_from(jobs: JobRepository) -> None:
    job = queued(id=new_id())
    await jobs.add(Change(job), NOW)
    first, second = claimed(job), legal(transitions.cancel(job, POLICY, NOW))
    assert await jobs.replace(Change(first), job.version) == first
    assert await jobs.replace(Change(second), job.version) == VersionConflict(job_id=job.id, current=first)
    assert await jobs.get(job.id, NOW) == first


async def test_a_change_of_a_missing_job_creates_nothing(jobs: JobRepository) -> None:
    job = running(id=new_id())
    assert await jobs.replace(Change(job), 1) == VersionConflict(job_id=job.id, current=None)
    assert await jobs.get(job.id, NOW) == JobNotFound(job_id=job.id)


async def test_of_many_claims_at_once_one_succeeds(raced_jobs: JobRepository) -> None:
    job = queued(id=new_id())
    await raced_jobs.add(Change(job), NOW)
    deadline = NOW + timedelta(minutes=1)
    claims = [legal(transitions.claim(job, POLICY, f"worker-{n}", deadline, NOW)) for n in range(10)]
    results = await asyncio.gather(*(raced_jobs.replace(Change(claim), job.version) for claim in claims))
    assert sum(isinstance(result, Job) for result in results) == 1
    assert sum(isinstance(result, VersionConflict) for result in results) == 9


async def test_a_job_beyond_400_kb_is_refused_before_the_call(jobs: JobRepository) -> None:
    job = queued(id=new_id(), payload=to_json_text("x" * 400 * 1024))
    refused = await jobs.add(Change(job), NOW)
    assert isinstance(refused, ItemTooLarge)
    assert refused.size > refused.limit == 400 * 1024
    assert await jobs.get(job.id, NOW) == JobNotFound(job_id=job.id)
    small = queued(id=new_id())
    await jobs.add(Change(small), NOW)
    big = finished(claimed(small), Done(result=to_json_text("é" * 200 * 1024)))
    assert isinstance(await jobs.replace(Change(big), small.version), ItemTooLarge)
    assert await jobs.get(small.id, NOW) == small


async def test_a_job_just_below_400_kb_is_stored(jobs: JobRepository) -> None:
    job = queued(id=new_id(), payload=to_json_text("x" * (394 * 1024)), tags={})
    assert await jobs.add(Change(job), NOW) == job
    assert await jobs.get(job.id, NOW) == job


async def _due(jobs: JobRepository) -> set[str]:
    pages = [await jobs.due(shard, NOW, 100, None) for shard in jobs.wake_shards]
    return {entry.id for page in pages if isinstance(page, DuePage) for entry in page.entries}


async def test_the_wake_index_lists_due_jobs_and_nothing_else(jobs: JobRepository) -> None:
    early = NOW - timedelta(days=1)
    due_schedule = scheduled(run_at=NOW - SECOND, now=early, id=new_id())
    due_retry = finished(running(now=early, id=new_id()), Retry(reason="x"), now=early)
    lost_trigger = queued(now=early, id=new_id())
    dead_worker = running(now=early, id=new_id())
    later = [scheduled(id=new_id()), queued(id=new_id()), running(id=new_id())]
    final = [succeeded(now=early, id=new_id()), failed(now=early, id=new_id()), cancelled(now=early, id=new_id())]
    due = [due_schedule, due_retry, lost_trigger, dead_worker]
    for job in (*due, *later, *final):
        await jobs.add(Change(job), NOW)
    found = await _due(jobs)
    assert {job.id for job in due} <= found
    assert not {job.id for job in (*later, *final)} & found


async def test_a_finished_job_leaves_the_wake_index(jobs: JobRepository) -> None:
    early = NOW - timedelta(days=1)
    job = queued(now=early, id=new_id())
    await jobs.add(Change(job), NOW)
    assert job.id in await _due(jobs)
    await jobs.replace(Change(finished(claimed(job), Done(result=to_json_text(1)))), job.version)
    assert job.id not in await _due(jobs)


async def test_due_jobs_are_listed_page_by_page_earliest_first(jobs: JobRepository) -> None:
    early = NOW - timedelta(days=400)
    stored = [scheduled(run_at=early + n * SECOND, now=early - SECOND, id=new_id()) for n in range(40)]
    for job in stored:
        await jobs.add(Change(job), NOW)
    moment = early + timedelta(minutes=1)
    found: list[DueJob] = []
    for shard in jobs.wake_shards:
        after: str | None = None
        of_shard: list[DueJob] = []
        for _ in range(100):
            page = await jobs.due(shard, moment, 3, after)
            assert isinstance(page, DuePage)
            of_shard = [*of_shard, *page.entries]
            if page.next is None:
                break
            after = page.next
        assert [entry.wake_at for entry in of_shard] == sorted(entry.wake_at for entry in of_shard)
        found = [*found, *of_shard]
    assert {entry.id for entry in found} >= {job.id for job in stored}
    assert len(found) == len({entry.id for entry in found})


async def test_the_states_of_unfinished_jobs_are_read_without_their_documents(jobs: JobRepository) -> None:
    waiting, later, busy = queued(id=new_id()), scheduled(id=new_id()), running(id=new_id())
    again, done = retrying(id=new_id()), succeeded(id=new_id())
    for job in (waiting, later, busy, again, done):
        await jobs.add(Change(job), NOW)

    def state(status: str, since: datetime | None, written_at: datetime = NOW) -> DueState:
        return DueState.model_validate({
            "type": waiting.type, "status": status, "since": since, "written_at": written_at,
        })  # fmt: skip

    assert isinstance(busy.state, Running)
    ids = tuple(job.id for job in (waiting, later, busy, again, done))
    assert await jobs.due_states((*ids, new_id())) == {
        waiting.id: state("queued", NOW),
        later.id: state("scheduled", later.wake_at),
        busy.id: state("running", busy.state.lease.until),
        again.id: state("retrying", again.wake_at),
    }
    hour = NOW + timedelta(hours=1)
    await jobs.replace(Change(legal(transitions.redrive(waiting, POLICY, hour))), waiting.version)
    assert await jobs.due_states((waiting.id,)) == {waiting.id: state("queued", NOW, hour)}
    assert await jobs.due_states(()) == {}


@pytest.fixture(params=["moto", "ministack"])
def source(request: pytest.FixtureRequest) -> LazyClient:
    client = request.getfixturevalue(f"{request.param}_client")
    assert isinstance(client, LazyClient)
    return client


async def test_a_foreign_row_of_the_wake_index_is_reported_and_does_not_stop_the_sweep(source: LazyClient) -> None:
    client, jobs = await source(), job_repository_on(source)
    foreign = [new_id() for _ in range(3)]
    for id, wake_at in zip(foreign, ("2020-01-01T00:00:00", "soon", "1"), strict=True):
        await client.put_item(
            TableName="JobsTable", Item={"id": {"S": id}, "wake_shard": {"S": "0"}, "wake_at": {"S": wake_at}}
        )
    due = queued(now=NOW - timedelta(days=1), id=next(id for id in iter(new_id, "") if wake_shard(id) == "0"))
    await jobs.add(Change(due), NOW)
    after: str | None = None
    unreadable: list[str] = []
    found: list[str] = []
    for _ in range(1000):
        page = await jobs.due("0", NOW, 1, after)
        assert isinstance(page, DuePage)
        unreadable = [*unreadable, *(entry.job_id for entry in page.unreadable)]
        found = [*found, *(entry.id for entry in page.entries)]
        after = page.next
        if after is None:
            break
    for id in foreign:
        await client.delete_item(TableName="JobsTable", Key={"id": {"S": id}})
    assert foreign[0] in unreadable
    assert foreign[2] in unreadable
    assert due.id in found, "what comes behind it"


async def test_a_page_of_due_jobs_may_begin_at_a_given_time(jobs: JobRepository) -> None:
    early = NOW - timedelta(days=300)
    id = next(id for id in iter(new_id, "") if wake_shard(id) == "5")
    job = scheduled(run_at=early, now=early - SECOND, id=id)
    await jobs.add(Change(job), NOW)
    for since, there in ((None, True), (early - SECOND, True), (early, False)):
        page = await jobs.due("5", early + SECOND, 100, None, since)
        assert isinstance(page, DuePage)
        assert (id in {entry.id for entry in page.entries}) is there
