"""Jobs of an older payload version run as the newest, and keep the payload that they were submitted with."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from domain.jobs.catalogue import Catalogue, DuplicateJobType
from domain.jobs.change import Change
from domain.jobs.execution import JobExecutor
from domain.jobs.execution_results import Executed, UnknownJobType
from domain.jobs.fingerprint import is_replay
from domain.jobs.job import Failed, Job, Succeeded
from domain.jobs.submission import Submission
from domain.jobs.submitting import SubmissionService, Submitted
from domain.jobs.transitions import retry_manually
from headrace.authoring.context import JobContext
from headrace.authoring.job_type import Handler, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.upcasts import Upcast
from headrace.testing.clock import half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, POLICY, UserFactory, legal, queued
from tests.fakes.handlers import Count, Text, a_handler

KIND = "text.word_count"


def from_v1(document: dict[str, Any]) -> dict[str, Any]:
    return {"words": document["title"]}


def from_v2(document: dict[str, Any]) -> dict[str, Any]:
    return {"text": document["words"]}


STEPS: Mapping[int, Upcast] = {1: from_v1, 2: from_v2}


def of_version_3(upcasts: Mapping[int, Upcast] = STEPS) -> Handler:
    return a_handler(payload_version=3, upcasts=upcasts)


async def executed(handler: Handler, job: Job) -> Job:
    jobs = FakeJobRepository()
    await jobs.add(Change(job), NOW)
    executor = JobExecutor(jobs, Catalogue([handler]), lambda: NOW, numbered_ids(), half, {})
    done = await executor.execute(job, NOW + timedelta(minutes=15))
    assert isinstance(done, Executed), done
    return done.job


@pytest.mark.parametrize(
    ("version", "payload"),
    [(1, '{"title":"a b"}'), (2, '{"words":"a b"}'), (3, '{"text":"a b"}')],
    ids=["from 1", "from 2", "from 3"],
)
async def test_a_payload_goes_through_every_step_and_is_stored_as_it_was_submitted(version: int, payload: str) -> None:
    job = await executed(of_version_3(), queued(type=KIND, payload=JsonText(payload), payload_version=version))
    assert isinstance(job.state, Succeeded)
    assert job.state.result == '{"words":2}'
    assert (job.payload, job.payload_version) == (payload, version)


@pytest.mark.parametrize(
    ("upcasts", "code", "message"),
    [
        (STEPS, "upcast_failed", "the upcast from version 1 to 2 raised KeyError: 'title'"),
        (
            {1: lambda _: {1, 2}, 2: from_v2},
            "upcast_failed",
            "the upcast from version 1 to 2 returned set, which is not",
        ),
        (
            {1: lambda _: {"x": float("nan")}, 2: from_v2},
            "upcast_failed",
            "the upcast from version 1 to 2 returned dict",
        ),
        ({1: dict, 2: dict}, "invalid_payload", "other: Extra inputs are not permitted"),
        (
            {2: from_v2},
            "payload_too_old",
            "the payload is of version 1; text.word_count runs payloads of version 2 and",
        ),
    ],
    ids=["raised", "no JSON", "NaN", "does not fit", "too old"],
)
async def test_a_payload_that_cannot_be_upcast_fails_its_job_at_once(
    upcasts: Mapping[int, Upcast], code: str, message: str
) -> None:
    job = await executed(of_version_3(upcasts), queued(type=KIND, payload=JsonText('{"other":1}'), max_attempts=9))
    assert isinstance(job.state, Failed)
    assert (job.state.reason, job.state.error.code) == ("permanent", code)
    assert job.state.error.message.startswith(message)


async def test_the_frames_of_a_step_that_raises_are_kept() -> None:
    job = await executed(of_version_3(), queued(type=KIND, payload=JsonText("{}")))
    assert isinstance(job.state, Failed)
    assert [frame.function for frame in job.state.error.frames] == ["from_v1"]


async def test_a_job_that_is_retried_by_hand_is_upcast_again() -> None:
    failed = await executed(of_version_3({**STEPS, 1: lambda _: 1 / 0}), queued(type=KIND, payload=JsonText("{}")))
    again = legal(retry_manually(failed.model_copy(update={"payload": JsonText('{"title":"a"}')}), POLICY, NOW))
    assert (await executed(of_version_3(), again)).status == "succeeded"


RENAMED = a_handler("orders.count", aliases=("orders.old", KIND), policy=Policy(concurrency=1))


async def test_jobs_of_a_former_name_run_with_the_handler_and_keep_their_name() -> None:
    job = await executed(RENAMED, queued(type=KIND, payload=JsonText("{}")))
    assert (job.status, job.type) == ("succeeded", KIND)


async def test_jobs_of_all_names_share_the_limit_of_their_type() -> None:
    running: list[str] = []

    async def alone(text: Text, context: JobContext) -> Count:
        assert not running
        running.append(context.job_id)
        await asyncio.sleep(0)
        running.remove(context.job_id)
        return Count()

    handler = a_handler("orders.count", alone, Policy(concurrency=1), aliases=("orders.old",))
    jobs = FakeJobRepository()
    executor = JobExecutor(jobs, Catalogue([handler]), lambda: NOW, numbered_ids(), half, {})
    waiting = [queued(type=name, payload=JsonText("{}")) for name in ("orders.count", "orders.old")]
    for job in waiting:
        await jobs.add(Change(job), NOW)
    done = await asyncio.gather(*(executor.execute(job, NOW + timedelta(minutes=15)) for job in waiting))
    assert [each.outcome for each in done if isinstance(each, Executed)] == ["succeeded", "succeeded"]


async def test_a_submission_under_a_former_name_keeps_it_so_that_older_workers_can_run_the_job() -> None:
    jobs, catalogue = FakeJobRepository(), Catalogue([a_handler("orders.count", aliases=("orders.old",))])
    service = SubmissionService(jobs, catalogue, lambda: NOW, numbered_ids())
    accepted = await service.submit(Submission(type="orders.old", payload={}), UserFactory.build())
    assert isinstance(accepted, Submitted)
    assert accepted.job.type == "orders.old"
    older = JobExecutor(jobs, Catalogue([a_handler("orders.old")]), lambda: NOW, numbered_ids(), half, {})
    assert isinstance(await older.execute(accepted.job, NOW + timedelta(minutes=15)), Executed)


async def test_an_older_worker_leaves_a_job_of_the_new_name_alone() -> None:
    older = JobExecutor(
        FakeJobRepository(), Catalogue([a_handler("orders.old")]), lambda: NOW, numbered_ids(), half, {}
    )
    done = await older.execute(queued(type="orders.count"), NOW + timedelta(minutes=15))
    assert isinstance(done, UnknownJobType)


def test_a_submission_that_is_repeated_under_the_new_name_is_the_same() -> None:
    job = queued(type="orders.old", payload=JsonText("{}"), max_attempts=5, tags={})
    again = Submission(type="orders.count", payload={})
    definition = a_handler("orders.count", aliases=("orders.old",), policy=Policy(max_attempts=5)).definition
    assert is_replay(job, again, JsonText("{}"), definition)


def test_two_types_that_claim_one_name_are_refused_with_both_names() -> None:
    for aliases in (("orders.old",), ("orders.new",)):
        with pytest.raises(DuplicateJobType, match=r"a\.type and orders\.new, which both claim the name"):
            Catalogue([a_handler("a.type", aliases=aliases), a_handler("orders.new", aliases=("orders.old",))])


def test_an_alias_finds_its_type_and_is_not_listed() -> None:
    catalogue = Catalogue([RENAMED])
    assert catalogue.handler(KIND) is catalogue.handler("orders.count") is RENAMED
    assert catalogue.names() == ("orders.count",)
    assert catalogue.policy("orders.old") == Policy(concurrency=1)
