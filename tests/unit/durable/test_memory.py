"""What an attempt remembers when the store fails, and what it does when its lease is gone."""

import asyncio
from datetime import datetime, timedelta

import pytest
from pydantic import BaseModel, RootModel

from domain.blobs.store import BlobMissing, BlobStore, BlobTooLarge
from domain.durable.attempts import JobSteps
from domain.durable.durable import MAX_ITEMS
from domain.durable.forgetting import forget
from domain.durable.listing import StepListService
from domain.durable.repository import LeaseEnded, RememberResult
from domain.durable.signalling import MAX_SIGNAL_BYTES, InvalidSignal, Signalled, SignalRefused, SignalService
from domain.durable.step import MAX_LIFE, MAX_SIGNALS, RECEIVED, SIGNAL, STEP, TIME, Step, step_put
from domain.durable.waits import TURNS, Waits
from domain.jobs.attempt import Attempt
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed, LeaseLost
from domain.jobs.job import BlobRef, Job, Running, WaitFor, Waiting
from domain.jobs.outcomes import Outcome, Pause
from domain.jobs.repository import CompanionRefused, JobNotFound, ReplaceResult, VersionConflict
from domain.jobs.service import Contended, JobService
from domain.jobs.transitions import IllegalTransition
from domain.jobs.why import Reason, WhyService
from domain.paging import Page, PageRequest
from domain.patience import PAUSE
from domain.results import ItemTooLarge, StorageUnavailable
from domain.secrets.hidden import Hidden
from headrace import JobContext, StepError, StepMisused, StepUnavailable
from headrace.authoring.json_text import JsonText
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.child_repository import FakeCountRepository
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.step_repository import FakeStepRepository
from headrace.testing.virtual_loop import run_in_virtual_time
from tests.factories import NOW, POLICY, TOKEN, UserFactory, queued, running, succeeded, waiting
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
        self.reads = 0
        """How often all was read."""

    def _problem(self) -> StorageUnavailable | None:
        return self.problems.pop(0) if self.problems else None

    async def remember(self, step: Step, token: str, expires_at: datetime) -> RememberResult:
        return self._problem() or await self.steps.remember(step, token, expires_at)

    async def rewrite(self, step: Step, token: str, expires_at: datetime) -> Step | LeaseEnded | StorageUnavailable:
        return self._problem() or await self.steps.rewrite(step, token, expires_at)

    async def groups(self, job_id: str) -> tuple[Step, ...] | StorageUnavailable:
        return self._problem() or await self.steps.groups(job_id)

    async def remembered(self, job_id: str) -> tuple[Step, ...] | StorageUnavailable:
        self.reads += 1
        await asyncio.sleep(0)
        return self._problem() or await self.steps.remembered(job_id)

    async def find(self, job_id: str, key: str) -> Step | StorageUnavailable | None:
        return self._problem() or await self.steps.find(job_id, key)

    async def page(self, job_id: str, limit: int, after: str | None) -> StorageUnavailable:
        raise NotImplementedError

    async def forget(self, job_id: str) -> StorageUnavailable | None:
        if (problem := self._problem()) is None:
            await self.steps.forget(job_id)
        return problem


class FailingBlobs(FakeBlobStore):
    """Fails as often as it says."""

    def __init__(self, *problems: StorageUnavailable) -> None:
        super().__init__()
        self.problems = list(problems)

    async def put(self, key: str, content: bytes, content_type: str) -> StorageUnavailable | None:  # type: ignore[override]
        if self.problems:
            return self.problems.pop(0)
        await super().put(key, content, content_type)
        return None

    async def get(self, key: str, limit: int) -> bytes | BlobMissing | BlobTooLarge | StorageUnavailable:  # type: ignore[override]
        return self.problems.pop(0) if self.problems else await super().get(key, limit)

    async def delete(self, keys: tuple[str, ...]) -> StorageUnavailable | None:  # type: ignore[override]
        if self.problems:
            return self.problems.pop(0)
        await super().delete(keys)
        return None


async def attempt_on(store: Failing, blobs: BlobStore | None = None, *, is_first: bool = False) -> Attempt:
    job = await store.jobs.add(Change(running()), NOW)
    assert isinstance(job, Job)
    clock = FakeClock()
    steps = JobSteps(store, Documents(blobs or store.blobs), clock, numbered_ids())

    def durable(job: Job, ended: "asyncio.Future[Outcome]", hidden: Hidden) -> object:
        hidden.add("token", "the-secret")
        return steps.of(job, ended, hidden, POLICY, DEADLINE, is_first=is_first)

    return Attempt(store.jobs, clock, job, DEADLINE, {}, None, None, durable)  # type: ignore[arg-type]


class JsonAlone(RootModel[int | None]):
    """A value that may be null."""


def large() -> str:
    return "x" * 20_000


@pytest.mark.parametrize("failures", [1, 3])
def test_a_store_that_is_busy_is_asked_again(failures: int) -> None:
    async def run() -> None:
        attempt = await attempt_on(Failing(*[BUSY] * failures))
        assert await attempt.step("a", int) == 0
        assert [step.value for step in await store_of(attempt).remembered(attempt._job.life)] == ["0"]

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
        step = Step(job_id=attempt._job.life, name="a", kind=STEP, attempt=1, began_at=NOW, value=ref, write_id="1")
        await store.steps.remember(step, TOKEN, NOW)
        with pytest.raises(StepMisused, match="the value of a is not in the blob bucket any more, or is damaged"):
            await attempt.step("a", large)

    run_in_virtual_time(run())


def test_a_signal_without_a_value_is_null() -> None:
    async def run() -> None:
        store = Failing()
        attempt = await attempt_on(store)
        step = Step(job_id=attempt._job.life, name="go", kind=RECEIVED, attempt=1, began_at=NOW, write_id="1")
        put = step_put(step, NOW)
        store.jobs.put_item(put.table, put.key, {**put.values, **put.key})
        assert await attempt.signal("go", JsonAlone) == JsonAlone(None)

    run_in_virtual_time(run())


async def test_the_values_of_secrets_are_not_remembered() -> None:
    attempt = await attempt_on(Failing())
    assert await attempt.step("told", lambda: "it is the-secret") == "it is [secret token]"


async def test_steps_at_once_read_what_is_remembered_once() -> None:
    store = Failing()
    attempt = await attempt_on(store)
    first, second = await asyncio.gather(attempt.step("a", int), attempt.step("b", int))
    assert (first, second, store.reads) == (0, 0, 1)


def clock_of(attempt: Attempt) -> FakeClock:
    clock = attempt._clock
    assert isinstance(clock, FakeClock)
    return clock


async def test_an_attempt_calls_steps_until_its_half_is_over_and_one_if_it_begins_later() -> None:
    attempt = await attempt_on(Failing())
    clock = clock_of(attempt)
    clock.now = NOW + timedelta(seconds=15)
    for name in ("a", "b"):
        assert await attempt.step(name, int) == 0
    clock.now = NOW + timedelta(seconds=16)
    late = asyncio.ensure_future(attempt.step("c", int))
    assert await attempt.ended == Pause()
    late.cancel()
    await asyncio.wait({late})
    attempt = await attempt_on(Failing())
    clock_of(attempt).now = NOW + timedelta(seconds=29)
    assert await attempt.step("a", int) == 0


async def test_a_sleep_may_last_as_long_as_a_job_may() -> None:
    attempt = await attempt_on(Failing())
    asleep = asyncio.ensure_future(attempt.sleep("a", MAX_LIFE))
    pause = await attempt.ended
    assert isinstance(pause, Pause)
    assert pause.until == NOW + MAX_LIFE
    asleep.cancel()
    await asyncio.wait({asleep})


async def test_a_wait_is_over_at_the_very_end_of_its_time() -> None:
    store = Failing()
    attempt = await attempt_on(store)
    for name, kind in (("a", TIME), ("go", SIGNAL)):
        begun = Step(job_id=attempt._job.life, name=name, kind=kind, attempt=1, began_at=NOW, until=NOW)
        put = step_put(begun, NOW)
        store.jobs.put_item(put.table, put.key, {**put.values, **put.key})
    async with asyncio.timeout(5):
        await attempt.sleep("a", timedelta(hours=1))
        assert await attempt.signal("go", int, timeout=timedelta(hours=1)) is None


async def test_a_job_that_remembers_too_much_is_refused_another_step() -> None:
    store = Failing()
    attempt = await attempt_on(store)
    for number in range(MAX_ITEMS + 1):
        put = step_put(Step(job_id=attempt._job.life, name=f"s{number}", kind=STEP, attempt=1, began_at=NOW), NOW)
        store.jobs.put_item(put.table, put.key, {**put.values, **put.key})
    assert await attempt.step("s0", int) is None, "it does not know yet how much there is"
    with pytest.raises(StepMisused, match="a job remembers at most 1000 steps"):
        await attempt.step("s1", int)


async def test_a_pause_is_set_once_and_for_a_wait_alone() -> None:
    loop, faults = asyncio.get_running_loop(), list[object]()
    loop.set_exception_handler(lambda _, fault: faults.append(fault))
    ended: asyncio.Future[Outcome] = loop.create_future()
    waits = Waits(ended)

    async def worked() -> None:
        with waits.working():
            pass
        for _ in range(2 * TURNS):
            await asyncio.sleep(0)

    await worked()
    assert not ended.done()
    task = asyncio.create_task(waits.until_over(WaitFor(kind="time", name="a"), NOW, None))
    assert await ended == Pause(waits_for=(WaitFor(kind="time", name="a"),), until=NOW)
    await worked()
    waits.abandon()
    task.cancel()
    await asyncio.wait({task})
    loop.set_exception_handler(None)
    assert faults == []


async def test_it_is_idle_when_the_last_of_what_is_under_way_has_ended() -> None:
    waits = Waits(asyncio.get_running_loop().create_future())
    with waits.working():
        with waits.working():
            pass
        idle = asyncio.create_task(waits.idle())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not idle.done()
    await idle


async def test_what_another_wrote_first_counts() -> None:
    store = Failing()
    attempt = await attempt_on(store, is_first=True)
    other = Step(
        job_id=attempt._job.life, name="a", kind=STEP, attempt=1, began_at=NOW, value=JsonText("7"), write_id="1"
    )
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
            await asyncio.gather(context.step("stolen", stolen), context.step("beside", int))
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
    async with asyncio.timeout(10):  # At once, and not when the attempt is over.
        assert isinstance(await executor.execute(job, NOW + timedelta(minutes=15)), LeaseLost)
    assert (calls.made, await FakeStepRepository(jobs).remembered(job.life)) == ([], ())


async def test_where_nothing_is_remembered_a_step_says_so() -> None:
    jobs, clock = FakeJobRepository(), FakeClock()

    async def run(_: Text, context: JobContext) -> Count:
        with pytest.raises(StepError, match="nothing is remembered here"):
            await context.step("a", int)
        return Count()

    executor = JobExecutor(jobs, Catalogue((a_handler(run=run),)), clock, numbered_ids(), half, {})
    job = await jobs.add(Change(queued(type="text.word_count", payload=JsonText("{}"))), NOW)
    assert isinstance(job, Job)
    executed = await executor.execute(job, NOW + timedelta(minutes=15))
    assert isinstance(executed, Executed)
    assert executed.outcome == "succeeded"
    with pytest.raises(StepUnavailable):
        await Attempt(jobs, clock, job, NOW, {}).step("a", int)
    with pytest.raises(StepUnavailable):
        Attempt(jobs, clock, job, NOW, {}).submit("a", {}, name="b")


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
        assert await forget(job, store, FakeCountRepository(store.jobs), documents) == problem
    assert (store.blobs.stored, await store.steps.remembered(job.life)) == ({}, ())
    failing = Documents(FailingBlobs(BROKEN))
    await attempt.step("larger", large)
    assert await forget(job, store, FakeCountRepository(store.jobs), failing) == BROKEN


class Signalling:
    """Sends signals to one waiting job."""

    def __init__(self, jobs: FakeJobRepository, blobs: BlobStore | None = None, store: Failing | None = None) -> None:
        self.store = store or Failing()
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


async def test_a_signal_learns_from_a_first_attempt_that_its_time_was_over() -> None:
    store = Failing()
    attempt = await attempt_on(store)
    assert await attempt.signal("go", int, timeout=timedelta(0)) is None
    running = attempt._job
    assert running.steps == 0
    sent = await Signalling(store.jobs, store=store).send(running.id, "go", 1, OWNER)
    assert sent == SignalRefused(reason="the job no longer waits for the signal go: its time was over")


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
    jobs.answer = CompanionRefused(job_id=job.id, index=0)
    assert await Signalling(jobs).send(job.id, "approved", 1, OWNER) == Contended(job_id=job.id)
    jobs.answer = BROKEN
    assert await Signalling(jobs, blobs=large_blobs).send(job.id, "approved", "x" * 20_000, OWNER) == BROKEN
    assert large_blobs.stored, "it may have been written, with a reference to it"
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


async def test_a_large_signal_is_kept_and_what_remembers_nothing_is_not_asked_for_an_earlier_one() -> None:
    jobs, blobs = FakeJobRepository(), FakeBlobStore()
    job = await jobs.add(Change(queued()), NOW)
    assert isinstance(job, Job)
    signalling = Signalling(jobs, blobs)
    signalling.store.problems = [BUSY]
    assert isinstance(await signalling.send(job.id, "approved", "x" * (MAX_SIGNAL_BYTES - 2), OWNER), Signalled)
    assert (len(blobs.stored), signalling.store.problems) == (1, [BUSY])
    refused = await signalling.send(job.id, "other", "x" * (MAX_SIGNAL_BYTES - 1), OWNER)
    assert refused == InvalidSignal(reason="the signal has 262145 bytes of JSON, the limit is 262144")


async def test_a_signal_that_is_no_json_is_refused() -> None:
    sent = await Signalling(FakeJobRepository()).send("1", "approved", "\ud800", OWNER)
    assert sent.model_dump() == {"reason": "a string contains half of a surrogate pair"}


async def test_a_job_that_is_gone_or_has_enough_takes_no_signal() -> None:
    jobs = FakeJobRepository()
    assert await Signalling(jobs).send("none", "approved", 1, OWNER) == JobNotFound(job_id="none")
    for job, told in ((waiting().model_copy(update={"signals": 100}), "100 signals"), (waiting(), "another value")):
        assert isinstance(await jobs.add(Change(job), NOW), Job)
        signalling = Signalling(jobs)
        signalling.store.steps = FakeStepRepository(jobs)
        await signalling.send(job.id, "approved", 1, OWNER)
        refused = await signalling.send(job.id, "approved", 2, OWNER)
        assert isinstance(refused, SignalRefused)
        assert told in refused.reason
    ended = await jobs.add(Change(succeeded()), NOW)
    assert isinstance(ended, Job)
    assert isinstance(await Signalling(jobs).send(ended.id, "approved", 1, OWNER), IllegalTransition)
    for name, value in (("no name", 1), ("approved", "x" * 300_000)):
        assert isinstance(await Signalling(jobs).send(ended.id, name, value, OWNER), InvalidSignal)


async def test_ends_of_rounds_use_up_no_signals() -> None:
    jobs = FakeJobRepository()
    told = waiting().model_copy(update={"signals": MAX_SIGNALS, "rounds": MAX_SIGNALS})
    assert isinstance(await jobs.add(Change(told), NOW), Job)
    for number in range(MAX_SIGNALS):
        assert isinstance(await Signalling(jobs).send(told.id, f"note-{number}", 1, OWNER), Signalled)
    assert isinstance(await Signalling(jobs).send(told.id, "one-more", 1, OWNER), SignalRefused)


class Listing:
    """The list of every job."""

    async def list_steps(self, life: str, page: PageRequest, now: datetime) -> Page[Step]:
        assert (page.limit, now) == (20, NOW)
        return Page(items=(Step(job_id=life, name="a", kind=STEP, attempt=1, began_at=NOW),))


async def test_steps_are_listed_for_those_who_may_see_the_job() -> None:
    jobs = FakeJobRepository()
    job = await jobs.add(Change(waiting()), NOW)
    assert isinstance(job, Job)
    clock = FakeClock()
    listing = StepListService(JobService(jobs, Catalogue(()), clock), Listing(), clock)
    page = await listing.list(job.id, OWNER, PageRequest())
    assert isinstance(page, Page)
    assert [step.name for step in page.items] == ["a"]
    stranger = UserFactory.build(id="stranger", role="member")
    assert await listing.list(job.id, stranger, PageRequest()) == JobNotFound(job_id=job.id)


async def test_a_pause_whose_clean_up_fails_is_a_failure_of_the_attempt() -> None:
    jobs, clock = FakeJobRepository(), FakeClock()

    async def run(_: Text, context: JobContext) -> Count:
        try:
            await context.sleep("a", timedelta(hours=1))
        finally:
            raise ConnectionError("cannot close")

    steps = JobSteps(FakeStepRepository(jobs), Documents(), clock, numbered_ids())
    executor = JobExecutor(jobs, Catalogue((a_handler(run=run),)), clock, numbered_ids(), half, {}, steps=lambda: steps)
    job = await jobs.add(Change(queued(type="text.word_count", payload=JsonText("{}"))), NOW)
    assert isinstance(job, Job)
    executed = await executor.execute(job, NOW + timedelta(minutes=15))
    assert isinstance(executed, Executed)
    assert (executed.outcome, executed.error_code) == ("retrying", "ConnectionError")


async def test_a_waiting_job_says_what_it_waits_for() -> None:
    clock = FakeClock()
    why = WhyService(FakeJobRepository(), None, Catalogue((a_handler("csv.profile"),)), clock)
    job = waiting()
    assert isinstance(job.state, Waiting)
    found = await why.why(job, OWNER)
    assert isinstance(found, Reason)
    assert (found.code, found.until) == ("waiting", job.state.until)
    assert found.text == "it waits for the signal approved since 2026-11-23 03:00:00 UTC"
    names = tuple(WaitFor(kind="time" if number else "signal", name=f"w{number}") for number in range(7))
    many = job.model_copy(update={"state": job.state.model_copy(update={"waits_for": names})})
    found = await why.why(many, OWNER)
    assert isinstance(found, Reason)
    expected = "the signal w0 or its sleep w1 or its sleep w2 or its sleep w3 or its sleep w4 or 2 more"
    assert found.text == f"it waits for {expected} since 2026-11-23 03:00:00 UTC"
    clock.now = job.state.until
    found = await why.why(job, OWNER)
    assert isinstance(found, Reason)
    assert found.code == "due"


@pytest.mark.parametrize("remembered", [True, False])
async def test_waits_are_bounded_whether_they_are_remembered_already_or_were_given_up(remembered: bool) -> None:
    ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    waits = Waits(ended)
    begun = None if remembered else step_put(Step(job_id="1", name="a", kind="time", attempt=1, began_at=NOW), NOW)
    tasks: list[asyncio.Task[None]] = []
    for number in range(81):
        wait = waits.until_over(WaitFor(kind="time", name=f"s{number}"), NOW, begun)
        tasks.append(asyncio.create_task(wait))
        await asyncio.sleep(0)
        if not remembered:
            tasks[-1].cancel()
            await asyncio.sleep(0)
    with pytest.raises(StepMisused, match="at most 80 things at once"):
        await tasks[-1]
    for task in tasks[:-1]:
        task.cancel()
    await asyncio.wait(tasks)
