"""What an attempt remembers when the store fails, and what it does when its lease is gone."""

import asyncio
from datetime import datetime, timedelta

import pytest
from pydantic import BaseModel

from domain.durable.attempts import JobSteps
from domain.durable.forgetting import forget
from domain.durable.memory import PAUSE
from domain.durable.repository import RememberResult
from domain.durable.signalling import Signalled, SignalService
from domain.durable.step import RECEIVED, STEP, Step, step_put
from domain.jobs.attempt import Attempt
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.documents import Documents
from domain.jobs.execution import Executed, JobExecutor, LeaseLost
from domain.jobs.job import BlobRef, Job, Running
from domain.jobs.outcomes import Outcome, Pause
from domain.jobs.repository import ReplaceResult, VersionConflict
from domain.jobs.service import Contended, JobService
from domain.results import ItemTooLarge, StorageUnavailable
from headrace import JobContext, StepError, StepMisused, StepUnavailable
from headrace.authoring.json_text import JsonText
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.step_repository import FakeStepRepository
from headrace.testing.virtual_loop import run_in_virtual_time
from tests.factories import NOW, POLICY, TOKEN, UserFactory, queued, running, waiting
from tests.fakes.handlers import Count, Text, a_handler

BUSY = StorageUnavailable(reason="throttled", detail="ThrottlingException")
BROKEN = StorageUnavailable(reason="rejected", detail="AccessDeniedException")
OWNER = UserFactory.build(id="owner-1", role="member")
DEADLINE = NOW + timedelta(seconds=30)


class Failing:
    """Steps, blobs and jobs of one test, each call of which first fails as often as it says."""

    def __init__(self, *problems: StorageUnavailable) -> None:
        self.problems = list(problems)
        self.jobs = FakeJobRepository()
        self.steps = FakeStepRepository(self.jobs)
        self.blobs = FakeBlobStore()

    def _problem(self) -> StorageUnavailable | None:
        return self.problems.pop(0) if self.problems else None

    async def remember(self, step: Step, token: str, expires_at: datetime) -> RememberResult:
        return self._problem() or await self.steps.remember(step, token, expires_at)

    async def remembered(self, job_id: str) -> tuple[Step, ...] | StorageUnavailable:
        return self._problem() or await self.steps.remembered(job_id)

    async def find(self, job_id: str, key: str) -> Step | StorageUnavailable | None:
        return self._problem() or await self.steps.find(job_id, key)

    async def page(self, job_id: str, limit: int, after: str | None) -> StorageUnavailable:
        raise NotImplementedError

    async def forget(self, job_id: str) -> StorageUnavailable | None:
        return self._problem() or await self.steps.forget(job_id)


class FailingBlobs(FakeBlobStore):
    """Fails as often as it says."""

    def __init__(self, *problems: StorageUnavailable) -> None:
        super().__init__()
        self.problems = list(problems)

    async def put(self, key: str, content: bytes, content_type: str) -> StorageUnavailable | None:  # type: ignore[override]
        return self.problems.pop(0) if self.problems else await super().put(key, content, content_type)

    async def get(self, key: str, limit: int) -> object:  # type: ignore[override]
        return self.problems.pop(0) if self.problems else await super().get(key, limit)

    async def delete(self, keys: tuple[str, ...]) -> StorageUnavailable | None:  # type: ignore[override]
        return self.problems.pop(0) if self.problems else await super().delete(keys)


async def attempt_on(store: Failing, blobs: FakeBlobStore | None = None, *, is_first: bool = False) -> Attempt:
    job = await store.jobs.add(Change(running()), NOW)
    assert isinstance(job, Job)
    clock = FakeClock()
    steps = JobSteps(store, Documents(blobs or store.blobs), clock, numbered_ids())

    def durable(job: Job, ended: "asyncio.Future[Outcome]") -> object:
        return steps.of(job, ended, POLICY, DEADLINE, is_first=is_first)

    return Attempt(store.jobs, clock, job, DEADLINE, {}, None, durable)  # type: ignore[arg-type]


def large() -> str:
    return "x" * 20_000


@pytest.mark.parametrize("failures", [1, 3])
def test_a_store_that_is_busy_is_asked_again(failures: int) -> None:
    async def run() -> None:
        attempt = await attempt_on(Failing(*[BUSY] * failures))
        assert await attempt.step("a", int) == 0
        assert [step.value for step in await store_of(attempt).remembered(attempt.job_id)] == ["0"]

    run_in_virtual_time(run())


def store_of(attempt: Attempt) -> FakeStepRepository:
    jobs = attempt._jobs
    assert isinstance(jobs, FakeJobRepository)
    return FakeStepRepository(jobs)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_store_that_refuses_fails_the_attempt_and_not_the_job(is_first: bool) -> None:
    async def run() -> None:
        attempt = await attempt_on(Failing(BROKEN), is_first=is_first)
        with pytest.raises(StepUnavailable, match="out of reach: rejected, AccessDeniedException"):
            await attempt.step("a", int)
        assert attempt.flaw is None

    run_in_virtual_time(run())


def test_a_store_is_not_waited_for_beyond_the_attempt() -> None:
    async def run() -> None:
        attempt = await attempt_on(Failing(*[BUSY] * 200))
        clock = attempt._clock
        assert isinstance(clock, FakeClock)
        clock.now = DEADLINE - PAUSE
        with pytest.raises(StepUnavailable, match="throttled"):
            await attempt.step("a", int)

    run_in_virtual_time(run())


def test_a_large_value_is_written_and_read_although_the_blobs_are_busy() -> None:
    async def run() -> None:
        attempt = await attempt_on(Failing(), FailingBlobs(BUSY))
        assert await attempt.step("large", large) == large()

    run_in_virtual_time(run())


@pytest.mark.parametrize("problem", [None, BUSY])
def test_a_large_value_that_is_gone_fails_the_job_and_one_out_of_reach_is_tried_again(
    problem: StorageUnavailable | None,
) -> None:
    async def run() -> None:
        store, blobs = Failing(), FailingBlobs(*([problem] if problem else []))
        attempt = await attempt_on(store, blobs)
        ref = BlobRef(key="jobs/1/step-1", size=3, sha256="f" * 64)
        step = Step(job_id=attempt.job_id, name="a", kind=STEP, attempt=1, began_at=NOW, value=ref, write_id="1")
        await store.steps.remember(step, TOKEN, NOW)
        with pytest.raises(StepMisused, match="the value of a is not in the blob bucket any more, or is damaged"):
            await attempt.step("a", large)

    run_in_virtual_time(run())


def test_a_signal_without_a_value_is_null() -> None:
    async def run() -> None:
        store = Failing()
        attempt = await attempt_on(store)
        step = Step(job_id=attempt.job_id, name="go", kind=RECEIVED, attempt=1, began_at=NOW, write_id="1")
        put = step_put(step, NOW)
        store.jobs.put_item(put.table, put.key, {**put.values, **put.key})
        assert await attempt.signal("go", type(None)) is None

    run_in_virtual_time(run())


async def test_what_another_wrote_first_counts() -> None:
    store = Failing()
    attempt = await attempt_on(store, is_first=True)
    other = Step(job_id=attempt.job_id, name="a", kind=STEP, attempt=1, began_at=NOW, value=JsonText("7"), write_id="1")
    await store.steps.remember(other, TOKEN, NOW)
    assert await attempt.step("a", int) == 7


class Calls(BaseModel):
    """What a handler did."""

    made: list[str] = []


@pytest.mark.parametrize("what", ["step", "signal"])
async def test_a_worker_that_lost_its_lease_learns_so_at_its_next_step_and_ends(what: str) -> None:
    jobs, clock, calls = FakeJobRepository(), FakeClock(), Calls()

    async def run(_: Text, context: JobContext) -> Count:
        async def stolen() -> int:
            job = await jobs.get(context.job_id, clock())
            assert isinstance(job, Job)
            assert isinstance(job.state, Running)
            lease = job.state.lease.model_copy(update={"token": "another"})
            taken = job.model_copy(update={"state": Running(lease=lease), "version": job.version + 1})
            assert isinstance(await jobs.replace(Change(taken), job.version), Job)
            return 1

        if what == "step":
            await context.step("stolen", stolen)
        else:
            await stolen()
            await context.signal("a", int, timeout=timedelta(0))
        calls.made.append("never")
        return Count()

    steps = JobSteps(FakeStepRepository(jobs), Documents(), clock, numbered_ids())
    catalogue = Catalogue((a_handler(run=run),))
    executor = JobExecutor(jobs, catalogue, clock, numbered_ids(), half, {}, steps=lambda: steps)
    job = await jobs.add(Change(queued(type="text.word_count", payload=JsonText("{}"))), NOW)
    assert isinstance(job, Job)
    assert isinstance(await executor.execute(job, NOW + timedelta(minutes=15)), LeaseLost)
    assert (calls.made, await FakeStepRepository(jobs).remembered(job.id)) == ([], ())


async def test_where_nothing_is_remembered_a_step_says_so() -> None:
    jobs, clock = FakeJobRepository(), FakeClock()

    async def run(_: Text, context: JobContext) -> Count:
        try:
            await context.step("a", int)
        except StepError as error:
            assert str(error) == "nothing is remembered here"
        return Count()

    executor = JobExecutor(jobs, Catalogue((a_handler(run=run),)), clock, numbered_ids(), half, {})
    job = await jobs.add(Change(queued(type="text.word_count", payload=JsonText("{}"))), NOW)
    assert isinstance(job, Job)
    executed = await executor.execute(job, NOW + timedelta(minutes=15))
    assert isinstance(executed, Executed)
    assert executed.outcome == "succeeded"
    with pytest.raises(StepUnavailable):
        await Attempt(jobs, clock, job, NOW, {}).step("a", int)


async def test_more_than_eighty_waits_at_once_are_refused() -> None:
    attempt = await attempt_on(Failing())
    waits = [asyncio.ensure_future(attempt.sleep(f"s{number}", timedelta(hours=1))) for number in range(81)]
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_EXCEPTION)
    assert [str(task.exception()) for task in done] == ["a job waits for at most 80 things at once"]
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)


async def test_a_wait_that_the_handler_gives_up_is_waited_for_no_more() -> None:
    attempt = await attempt_on(Failing())
    first = asyncio.ensure_future(attempt.sleep("a", timedelta(hours=1)))
    await asyncio.sleep(0)
    first.cancel()
    second = asyncio.ensure_future(attempt.sleep("b", timedelta(hours=2)))
    pause = await attempt.ended
    assert isinstance(pause, Pause)
    assert [each.name for each in pause.waits_for] == ["b"]
    second.cancel()
    await asyncio.wait({first, second})


async def test_without_a_time_a_signal_is_waited_for_as_long_as_a_job_may_live() -> None:
    attempt = await attempt_on(Failing())
    clock = attempt._clock
    assert isinstance(clock, FakeClock)
    clock.now = NOW + timedelta(days=366)
    with pytest.raises(StepMisused, match="the signal go did not come in the 366 days that a job may wait"):
        await attempt.signal("go", int)


async def test_a_deleted_jobs_steps_are_deleted_with_their_blobs() -> None:
    store = Failing()
    attempt = await attempt_on(store)
    await attempt.step("large", large)
    await attempt.step("small", int)
    job = attempt._job
    documents = Documents(store.blobs)
    assert store.blobs.stored
    for problem in (BUSY, None):
        store.problems = [problem] if problem else []
        assert await forget(job, store, documents) == problem
    assert (store.blobs.stored, await store.steps.remembered(job.id)) == ({}, ())
    failing = Documents(FailingBlobs(BROKEN))
    await attempt.step("larger", large)
    assert await forget(job, store, failing) == BROKEN


class Signalling:
    """Sends signals to one waiting job."""

    def __init__(
        self, jobs: FakeJobRepository, *problems: StorageUnavailable, blobs: FakeBlobStore | None = None
    ) -> None:
        self.store = Failing(*problems)
        catalogue = Catalogue(())
        service = JobService(jobs, catalogue, FakeClock())
        documents = Documents(blobs or FakeBlobStore())
        self.send = SignalService(jobs, service, self.store, documents, catalogue, FakeClock(), numbered_ids()).send


class Refusing(FakeJobRepository):
    """Answers each replacement with the same."""

    answer: ReplaceResult = BROKEN

    async def replace(self, change: Change, expected_version: int) -> ReplaceResult:
        current = self._jobs[change.job.id]
        return VersionConflict(job_id=current.id, current=current) if self.answer is BUSY else self.answer


async def test_a_signal_reports_what_keeps_it_from_its_job() -> None:
    jobs = Refusing()
    job = await jobs.add(Change(waiting()), NOW)
    assert isinstance(job, Job)
    assert await Signalling(jobs).send(job.id, "approved", 1, OWNER) == BROKEN
    jobs.answer = BUSY
    assert await Signalling(jobs).send(job.id, "approved", 1, OWNER) == Contended(job_id=job.id)
    jobs.answer = ItemTooLarge(size=500_000, limit=400_000)
    large_blobs = FakeBlobStore()
    refused = await Signalling(jobs, blobs=large_blobs).send(job.id, "approved", "x" * 20_000, OWNER)
    assert refused == StorageUnavailable(reason="rejected", detail="item of 500000 bytes cannot be written")
    assert large_blobs.stored == {}
    assert await Signalling(jobs, blobs=FailingBlobs(BUSY)).send(job.id, "approved", "x" * 20_000, OWNER) == BUSY


async def test_a_signal_is_looked_up_before_it_is_sent_again() -> None:
    jobs = FakeJobRepository()
    job = await jobs.add(Change(waiting()), NOW)
    assert isinstance(job, Job)
    signalling = Signalling(jobs)
    signalling.store.steps = FakeStepRepository(jobs)
    assert isinstance(await signalling.send(job.id, "approved", {"a": 1, "b": 2}, OWNER), Signalled)
    again = await signalling.send(job.id, "approved", {"b": 2, "a": 1}, OWNER)
    assert isinstance(again, Signalled)
    assert again.replayed
    signalling.store.problems = [BUSY]
    assert await signalling.send(job.id, "approved", 1, OWNER) == BUSY


async def test_a_signal_that_is_no_json_is_refused() -> None:
    sent = await Signalling(FakeJobRepository()).send("1", "approved", "\ud800", OWNER)
    assert sent.model_dump() == {"reason": "a string contains half of a surrogate pair"}
