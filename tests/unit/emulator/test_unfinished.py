"""What a stopping stack says about jobs that it could not finish."""

from collections import Counter

import pytest

from domain.jobs.change import Change
from headrace.emulator.unfinished import report_unfinished, unfinished_text
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, in_every_state, queued
from tests.fakes.faulty_job_repository import OUTAGE, FaultyJobRepository


def test_the_number_of_unfinished_jobs_is_told_by_status() -> None:
    assert unfinished_text(Counter(running=2, queued=5), complete=True) == (
        "7 jobs did not finish (2 running, 5 queued);"
        " the next `headrace dev` here goes on with those that have attempts left"
    )
    assert unfinished_text(Counter(running=1), complete=False).startswith("at least 1 job did not finish (1 running)")


async def test_only_jobs_that_run_or_are_queued_are_unfinished(capsys: pytest.CaptureFixture[str]) -> None:
    jobs = FakeJobRepository()
    stored = [job.model_copy(update={"id": f"job-{number}"}) for number, job in enumerate(in_every_state())]
    for job in (*stored, queued(id="another")):
        await jobs.add(Change(job), NOW)
    await report_unfinished(jobs, NOW)
    running = sum(job.status == "running" for job in stored)
    waiting = sum(job.status == "queued" for job in stored) + 1
    assert f"did not finish ({running} running, {waiting} queued)" in capsys.readouterr().err


async def test_a_database_that_does_not_answer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    await report_unfinished(FaultyJobRepository(FakeJobRepository(), on_due=lambda _shard: OUTAGE), NOW)
    assert capsys.readouterr().err == "the jobs that did not finish cannot be counted: ReadTimeoutError\n"


async def test_nothing_is_said_when_every_job_has_finished(capsys: pytest.CaptureFixture[str]) -> None:
    await report_unfinished(FakeJobRepository(), NOW)
    assert capsys.readouterr().err == ""
