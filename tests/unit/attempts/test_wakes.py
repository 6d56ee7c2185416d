"""A batch of messages of the wake queue: neither a job nor a message affects the others."""

import json
from datetime import timedelta

import pytest
from pydantic import JsonValue

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.dispatch import Dispatcher
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed, Interrupted, NothingToDo, NotStarted
from domain.jobs.job import Job
from domain.jobs.run_due import DueJobRunner
from domain.jobs.wake_queue import Wake
from functions.attempts.running import Crashed
from functions.attempts.wakes import WakesReport, are_messages, run_wakes
from functions.runtime import now
from headrace.authoring.job_type import WORKER, Policy
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from persistence.sqs.wake_messages import WakeMessage, body_of, decode_message
from scripts.sample_events import queue_message
from tests.factories import NOW, scheduled
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository
from tests.fakes.handlers import a_handler

KIND = "text.word_count"
SECOND = timedelta(seconds=1)


def message(wake: Wake | str, message_id: str) -> dict[str, JsonValue]:
    body = wake if isinstance(wake, str) else body_of(wake)
    return {**queue_message(body), "messageId": message_id}


def due_job(id: str) -> Job:
    return scheduled(run_at=now() - SECOND, now=now() - 60 * SECOND, id=id, type=KIND, payload=JsonText('{"text":"a"}'))


def wake_for(job: Job) -> Wake:
    return Wake(job_id=job.id, due=job.wake_at or NOW)


async def run(
    records: list[object], *jobs: Job, seconds: int = 60, faulty: FaultyJobRepository | None = None
) -> WakesReport:
    store = FakeJobRepository()
    repository = faulty or FaultyJobRepository(store)
    for job in jobs:
        await repository.inner.add(Change(job), now())
    catalogue = Catalogue([a_handler(policy=Policy(timeout=5 * SECOND))])
    executor = JobExecutor(repository, catalogue, now, numbered_ids(), half, {})
    runner = DueJobRunner(repository, executor, Dispatcher(catalogue, {}, now), WORKER, now)
    return await run_wakes(runner, records, now() + seconds * SECOND)


async def test_every_due_job_of_a_batch_is_run() -> None:
    jobs = [due_job(str(number)) for number in range(10)]
    report = await run([message(wake_for(job), f"m{job.id}") for job in jobs], *jobs)
    assert [each.outcome for each in report.executions if isinstance(each, Executed)] == ["succeeded"] * 10
    assert (report.failures, report.undecodable) == ((), ())


async def test_two_messages_for_one_job_run_it_once() -> None:
    job = due_job("1")
    later = Wake(job_id="1", due=now() + timedelta(hours=1))
    report = await run([message(wake, f"m{place}") for place, wake in enumerate((later, wake_for(job)))], job)
    assert len(report.executions) == 1
    assert isinstance(report.executions[0], Executed), "by the message that is due"


async def test_a_job_that_could_not_be_started_has_all_its_messages_handed_back() -> None:
    job, other = due_job("1"), Wake(job_id="gone", due=NOW)
    records: list[object] = [message(wake_for(job), "a"), message(other, "b"), message(wake_for(job), "c")]
    report = await run(records, job, seconds=8)
    assert {type(each) for each in report.executions} == {NotStarted, NothingToDo}
    assert report.failures == ("a", "c")


async def test_an_outage_and_a_bug_hand_back_their_messages_only() -> None:
    first, second = due_job("1"), due_job("2")

    def fault(job: Job) -> None:
        if job.id == "1":
            raise ZeroDivisionError("ours")

    faulty = FaultyJobRepository(FakeJobRepository(), on_replace=fault)
    report = await run([message(wake_for(job), job.id) for job in (first, second)], first, second, faulty=faulty)
    assert sorted(type(each).__name__ for each in report.executions) == [Crashed.__name__, Executed.__name__]
    assert report.failures == ("1",)
    down = FaultyJobRepository(FakeJobRepository(), on_read=lambda: OUTAGE)
    report = await run([message(wake_for(first), "1")], faulty=down)
    assert isinstance(report.executions[0], Interrupted)
    assert report.failures == ("1",)


@pytest.mark.parametrize("body", ["", "{", "{}", '{"job_id":"1"}', '{"job_id":"1","due":"soon"}', '{"due":1}', "[]"])
async def test_a_message_that_is_not_ours_is_handed_back_and_the_others_are_run(body: str) -> None:
    job = due_job("1")
    report = await run([message(body, "strange"), message(wake_for(job), "ours")], job)
    assert [type(each) for each in report.executions] == [Executed]
    assert report.failures == ("strange",)
    assert [each.message_id for each in report.undecodable] == ["strange"]


@pytest.mark.parametrize("record", [None, "x", {}, {"messageId": ""}, {"messageId": 7, "body": "{}"}])
async def test_what_is_no_message_at_all_cannot_be_handed_back(record: object) -> None:
    report = await run([record])
    assert (report.executions, report.failures) == ((), ())
    assert len(report.undecodable) == 1


def test_a_message_without_a_body_is_undecodable() -> None:
    assert decode_message({"messageId": "1", "body": None}) != decode_message({"messageId": "1", "body": "{}"})


def test_a_message_says_no_more_than_the_job_and_its_time() -> None:
    wake = Wake(job_id="1", due=NOW)
    assert set(json.loads(body_of(wake))) == {"job_id", "due"}
    assert decode_message(message(wake, "m")) == WakeMessage(message_id="m", wake=wake)


def test_a_newer_versions_message_is_read_by_what_is_known_of_it() -> None:
    body = json.dumps({"job_id": "1", "due": NOW.isoformat(), "colour": "green"})
    found = decode_message(message(body, "m"))
    assert isinstance(found, WakeMessage)
    assert (found.wake.job_id, found.wake.due) == ("1", NOW)


def test_events_are_told_apart_by_their_source() -> None:
    assert are_messages([message("{}", "1")])
    assert not are_messages([])
    assert not are_messages([{"eventSource": "aws:dynamodb"}, "x"])
