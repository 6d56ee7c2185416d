"""A batch of stream records: neither a job nor a record affects the others."""

import asyncio
import json
from datetime import timedelta

import pytest
from pydantic import JsonValue

from domain.blobs.store import BlobStore
from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.dispatch import Dispatcher
from domain.jobs.documents import Documents
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed, NotStarted, UnknownJobType
from domain.jobs.job import Job
from domain.jobs.stream_position import BETWEEN_BATCHES, LAG, StreamPosition
from functions.attempts.running import Crashed
from functions.runtime import now as real_now
from functions.worker.batch import BatchReport, run_batch
from functions.worker.position import PositionKeeper
from headrace.authoring.context import JobContext
from headrace.authoring.job_type import Handler, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.clock import FakeClock, half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.stream_positions import FakeStreamPositions
from persistence.converters.dynamo_to_domain import job_to_item
from scripts.generate import stream_record
from tests.factories import NOW, queued
from tests.fakes.faulty_blob_store import OUTAGE, FaultyBlobStore
from tests.fakes.faulty_job_repository import FaultyJobRepository
from tests.fakes.handlers import Count, Text, a_handler

KIND = "text.word_count"
POLICY = Policy(timeout=timedelta(seconds=5))
NOWHERE_ELSE = Dispatcher(Catalogue(()), {}, real_now)
"""Knows no type of another runner."""


def record(job: Job, number: int) -> dict[str, JsonValue]:
    image: dict[str, JsonValue] = json.loads(json.dumps(job_to_item(job, "w")))
    made = stream_record("1", "INSERT", job.id, new=image)
    change = made["dynamodb"]
    assert isinstance(change, dict)
    change["SequenceNumber"] = str(number)
    return made


def a_keeper(positions: FakeStreamPositions | None = None, clock: FakeClock | None = None) -> PositionKeeper:
    return PositionKeeper(positions or FakeStreamPositions(), lambda: "environment-1", clock or real_now)


async def run(handler: Handler, texts: list[str], store: FakeJobRepository | None = None) -> BatchReport:
    """Run a batch with one job per text."""
    jobs = store or FakeJobRepository()
    now = real_now()
    waiting = [
        queued(now, POLICY, id=f"job-{place}", type=KIND, payload=JsonText(json.dumps({"text": text})))
        for place, text in enumerate(texts)
    ]
    for job in waiting:
        await jobs.add(Change(job), now)
    executor = JobExecutor(jobs, Catalogue([handler]), real_now, numbered_ids(), half, {})
    records = [record(job, place) for place, job in enumerate(waiting)]
    return await run_batch(executor, NOWHERE_ELSE, records, now + timedelta(seconds=60), a_keeper())


async def misbehave(document: Text, context: JobContext) -> Count | Retry | Fail:
    match document.text:
        case "surrogate":
            raise ValueError("caf\udce9.csv")
        case "exit":
            raise SystemExit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "generator":
            raise GeneratorExit
        case "cancel":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(1)
        case "fail":
            return Fail(reason="\udce9")
        case "progress":
            await context.report_progress(0.5, "\udce9")
            raise RuntimeError
        case _:
            await asyncio.sleep(0.05)
    return Count(words=1)


@pytest.mark.parametrize("how", ["surrogate", "exit", "interrupt", "generator", "cancel", "fail", "progress"])
async def test_of_ten_jobs_one_misbehaves_and_nine_succeed_at_their_first_attempt(how: str) -> None:
    report = await run(a_handler(run=misbehave, policy=POLICY), [how, *["good"] * 9])
    executed = [each for each in report.executions if isinstance(each, Executed)]
    assert len(executed) == 10
    assert executed[0].outcome in {"retrying", "failed"}
    assert [(each.outcome, each.job.attempt) for each in executed[1:]] == [("succeeded", 1)] * 9
    assert max(each.ran for each in executed[1:]) < timedelta(seconds=1)
    assert report.failures == ()


async def test_a_bug_in_headrace_ends_one_job_of_a_batch_and_its_record_is_delivered_again() -> None:
    def bug(job: Job) -> None:
        if job.id == "job-1":
            raise ZeroDivisionError("ours")

    store = FakeJobRepository()
    jobs = FaultyJobRepository(store, on_replace=bug)
    waiting = [queued(real_now(), POLICY, id=f"job-{number}", type=KIND, payload=JsonText("{}")) for number in range(3)]
    for job in waiting:
        await store.add(Change(job), real_now())
    executor = JobExecutor(jobs, Catalogue([a_handler()]), real_now, numbered_ids(), half, {})
    records = [record(job, number) for number, job in enumerate(waiting)]
    report = await run_batch(executor, NOWHERE_ELSE, records, real_now() + timedelta(seconds=60), a_keeper())
    assert [type(each) for each in report.executions] == [Executed, Crashed, Executed]
    assert report.failures == ("1",)


async def test_a_job_of_an_unknown_type_is_neither_run_nor_handed_back() -> None:
    report = await run(a_handler(name="other.type"), ["x"])
    assert [type(each) for each in report.executions] == [UnknownJobType]
    assert report.failures == ()


async def test_two_records_of_one_job_run_it_once_from_the_newer_image() -> None:
    jobs = FakeJobRepository()
    job = queued(real_now(), POLICY, id="job", type=KIND, payload=JsonText("{}"))
    await jobs.add(Change(job), real_now())
    executor = JobExecutor(jobs, Catalogue([a_handler()]), real_now, numbered_ids(), half, {})
    report = await run_batch(
        executor, NOWHERE_ELSE, [record(job, 1), record(job, 2)], real_now() + timedelta(seconds=60), a_keeper()
    )
    assert len(report.executions) == 1


class Marks(FakeStreamPositions):
    """Keeps every position that was written, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[StreamPosition] = []

    async def note(self, position: StreamPosition) -> None:
        self.written.append(position)
        await super().note(position)


async def follow(jobs: list[Job], clock: FakeClock, again: tuple[Job, ...] = ()) -> list[StreamPosition]:
    """Return the positions written by a batch that ends at once."""
    positions = Marks()
    handed_back: asyncio.Future[tuple[Job, ...]] = asyncio.get_running_loop().create_future()
    following = asyncio.create_task(a_keeper(positions, clock).keep(jobs, NOW + timedelta(seconds=88), handed_back))
    await asyncio.sleep(0.02)
    handed_back.set_result(again)
    await following
    return positions.written


async def test_a_worker_that_keeps_up_records_no_position() -> None:
    assert await follow([queued(NOW)], FakeClock(NOW + LAG - timedelta(seconds=1))) == []
    assert await follow([], FakeClock()) == []


async def test_a_worker_that_lags_records_its_position_and_then_its_end() -> None:
    old, older = queued(NOW), queued(NOW - timedelta(seconds=30))
    clock = FakeClock(NOW + LAG)
    deadline = NOW + timedelta(seconds=88)
    under_way = StreamPosition(environment="environment-1", at=older.updated_at, until=deadline)
    done = StreamPosition(environment="environment-1", at=old.updated_at, until=clock() + BETWEEN_BATCHES)
    assert await follow([old, older], clock) == [under_way, done]


async def test_a_record_that_is_handed_back_counts_as_not_passed() -> None:
    old, older = queued(NOW), queued(NOW - timedelta(seconds=30))
    written = await follow([old, older], FakeClock(NOW + LAG), again=(older,))
    assert written[-1].at == older.updated_at


async def test_a_long_batch_records_its_position_although_it_began_in_time() -> None:
    positions = Marks()
    job = queued(real_now() - LAG + timedelta(milliseconds=100))
    handed_back: asyncio.Future[tuple[Job, ...]] = asyncio.get_running_loop().create_future()
    following = asyncio.create_task(a_keeper(positions).keep([job], real_now() + timedelta(seconds=60), handed_back))
    await asyncio.sleep(0.3)
    assert [mark.at for mark in positions.written] == [job.updated_at]
    handed_back.set_result(())
    await following


async def test_a_job_that_could_not_start_in_time_is_handed_back() -> None:
    jobs = FakeJobRepository()
    job = queued(real_now(), POLICY, type=KIND, payload=JsonText("{}"))
    await jobs.add(Change(job), real_now())
    executor = JobExecutor(jobs, Catalogue([a_handler(policy=POLICY)]), real_now, numbered_ids(), half, {})
    report = await run_batch(executor, NOWHERE_ELSE, [record(job, 7)], real_now() + timedelta(seconds=6), a_keeper())
    assert (report.executions, report.failures) == ((NotStarted(job_id=job.id),), ("7",))


class Broken(FakeStreamPositions):
    """Positions cannot be written, or writing them never ends."""

    def __init__(self, *, hangs: bool) -> None:
        super().__init__()
        self._hangs = hangs

    async def note(self, position: StreamPosition) -> None:
        del position
        if self._hangs:
            await asyncio.sleep(60)
        raise RuntimeError("not today")


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_position_that_cannot_be_written_only_delays_its_batch_briefly(hangs: bool) -> None:
    jobs = FakeJobRepository()
    job = queued(real_now() - timedelta(minutes=5), POLICY, type=KIND, payload=JsonText("{}"))
    await jobs.add(Change(job), real_now())
    executor = JobExecutor(jobs, Catalogue([a_handler(policy=POLICY)]), real_now, numbered_ids(), half, {})
    keeper = a_keeper(Broken(hangs=hangs))
    began = real_now()
    report = await run_batch(executor, NOWHERE_ELSE, [record(job, 1)], began + timedelta(seconds=60), keeper)
    assert [each.outcome for each in report.executions if isinstance(each, Executed)] == ["succeeded"]
    assert real_now() - began < timedelta(seconds=4)


async def test_a_bug_is_logged_with_its_frames_and_without_its_message() -> None:
    def bug(job: Job) -> None:
        raise ValueError(f"secret {job.payload}")

    jobs = FaultyJobRepository(FakeJobRepository(), on_replace=bug)
    job = queued(real_now(), POLICY, type=KIND, payload=JsonText("{}"))
    executor = JobExecutor(jobs, Catalogue([a_handler()]), real_now, numbered_ids(), half, {})
    report = await run_batch(executor, NOWHERE_ELSE, [record(job, 1)], real_now() + timedelta(seconds=60), a_keeper())
    (crashed,) = report.executions
    assert isinstance(crashed, Crashed)
    assert crashed.error == "ValueError"
    assert crashed.frames[-1].endswith(" bug")
    assert "secret" not in crashed.model_dump_json()


def removed(job: Job, number: int) -> dict[str, JsonValue]:
    image: dict[str, JsonValue] = json.loads(json.dumps(job_to_item(job, "w")))
    made = stream_record("1", "REMOVE", job.id, old=image)
    change = made["dynamodb"]
    assert isinstance(change, dict)
    change["SequenceNumber"] = str(number)
    return made


async def deleted(blobs: BlobStore, jobs: list[Job]) -> BatchReport:
    """Run a batch of records of deleted jobs."""
    executor = JobExecutor(FakeJobRepository(), Catalogue([a_handler()]), real_now, numbered_ids(), half, {})
    records = [removed(job, number) for number, job in enumerate(jobs, 1)]
    deadline = real_now() + timedelta(seconds=60)
    return await run_batch(executor, NOWHERE_ELSE, records, deadline, a_keeper(), remove=Documents(blobs).remove)


async def test_the_blobs_of_deleted_jobs_are_deleted_and_those_of_others_stay() -> None:
    blobs = FakeBlobStore()
    documents = Documents(blobs)
    text = JsonText(f'"{"x" * 9000}"')
    kept = [await documents.keep(name, "payload", lambda: "1", text) for name in ("job-1", "job-2", "job-3")]
    jobs = [queued(id=f"job-{n}").model_copy(update={"payload": ref}) for n, ref in enumerate(kept, 1)]
    report = await deleted(blobs, [jobs[0], queued(id="small"), jobs[1]])
    assert report.failures == ()
    assert set(blobs.stored) == {"jobs/job-3/payload-1"}


async def test_a_record_whose_blobs_could_not_be_deleted_is_handed_back() -> None:
    blobs = FakeBlobStore()
    ref = await Documents(blobs).keep("job-1", "payload", lambda: "1", JsonText(f'"{"x" * 9000}"'))
    job = queued(id="job-1").model_copy(update={"payload": ref})
    report = await deleted(FaultyBlobStore(blobs, lambda _: OUTAGE), [queued(id="small"), job])
    assert report.failures == ("2",)
