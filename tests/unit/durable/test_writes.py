"""Writes of a handler's own, committed with its result."""

import pytest
from pydantic import BaseModel, ValidationError

from domain.jobs.change import Change
from domain.jobs.change import Delete as Deletion
from domain.jobs.committing import commit
from domain.jobs.job import Job
from domain.jobs.repository import CompanionRefused
from headrace import Check, Delete, Done, Fail, If, IfAbsent, JobContext, Put, Retry, Update, job_type
from headrace.testing import JobStack, StackJob, run_job
from headrace.testing.clock import START
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import NOW, running

A, B = {"id": "a"}, {"id": "b"}
FUNDS = If(at_least={"cents": 30}, equal={"open": True}, missing=("frozen_at",))


class Transfer(BaseModel):
    cents: int = 30
    how: str = "moves"
    retry: bool = False


class Moved(BaseModel):
    cents: int


@job_type("bank.transfer", max_attempts=3)
async def transfer(order: Transfer, _: JobContext) -> Moved | Done[Moved] | Fail:
    """Move money from a to b."""
    otherwise = Retry(reason="not yet") if order.retry else None
    writes: list[Put | Update | Check | Delete]
    match order.how:
        case "moves":
            writes = [
                Update(table="accounts", key=A, add={"cents": -order.cents}, condition=FUNDS),
                Update(table="accounts", key=B, add={"cents": order.cents}, set={"touched": True}, remove=("note",)),
            ]
        case "opens":
            writes = [Put(table="accounts", key={"id": "new"}, values={"cents": 1}, condition=IfAbsent())]
        case "checks":
            writes = [Check(table="accounts", key=A, condition=If(at_most={"cents": 50}))]
        case "closes":
            writes = [Delete(table="accounts", key=A, condition=If(equal={"cents": 0}))]
        case "own":
            writes = [Put(table="LanesTable", key=A)]
        case _:
            writes = [Put(table="accounts", key={"id": str(number)}) for number in range(90)]
    return Done(Moved(cents=order.cents), writes=writes, otherwise=otherwise)


async def ended(how: str, cents: int = 100, times: int = 1, retry: bool = False) -> tuple[JobStack, StackJob]:
    stack = JobStack((transfer,), START)
    stack.put("accounts", A, {"cents": cents, "open": True})
    stack.put("accounts", B, {"note": "new"})
    for _ in range(times):
        job = await stack.submit("bank.transfer", Transfer(how=how, retry=retry))
        await stack.drain()
    return stack, stack.job(job.id)


async def test_writes_are_committed_with_the_result() -> None:
    stack, job = await ended("moves")
    assert job.result == Moved(cents=30)
    assert stack.item("accounts", A) == {"id": "a", "cents": 70, "open": True}
    assert stack.item("accounts", B) == {"id": "b", "cents": 30, "touched": True}


async def test_a_condition_that_does_not_hold_is_the_jobs_outcome_and_nothing_is_written() -> None:
    stack, job = await ended("moves", times=4)
    assert job.error is not None
    assert (job.status, job.error.code) == ("failed", "write_refused")
    assert job.error.message == 'the condition of write 1, Update accounts {"id":"a"}, does not hold'
    assert stack.item("accounts", A) == {"id": "a", "cents": 10, "open": True}
    assert stack.item("accounts", B) == {"id": "b", "cents": 90, "touched": True}


async def test_a_handler_says_what_a_refused_write_comes_to() -> None:
    stack, job = await ended("moves", cents=0, retry=True)
    assert job.error is not None
    assert (job.status, job.error.code, job.attempt) == ("retrying", "retry", 1)
    assert job.error.message == 'not yet (the condition of write 1, Update accounts {"id":"a"}, does not hold)'
    stack.put("accounts", A, {"cents": 40, "open": True})
    await stack.travel(minutes=1)
    assert stack.job(job.id).status == "succeeded"


@pytest.mark.parametrize(
    ("how", "cents", "code"),
    [
        ("opens", 0, None),
        ("checks", 50, None),
        ("checks", 51, "write_refused"),
        ("closes", 0, None),
        ("closes", 1, "write_refused"),
        ("own", 0, "writes_rejected"),
        ("many", 0, "too_many_writes"),
    ],
)
async def test_every_kind_of_write(how: str, cents: int, code: str | None) -> None:
    stack, job = await ended(how, cents)
    assert (job.error.code if job.error else None) == code
    if how == "closes":
        assert (stack.item("accounts", A) is None) is (code is None)


async def test_one_that_exists_is_not_put_again() -> None:
    _, job = await ended("opens", times=2)
    assert job.error is not None
    assert job.error.code == "write_refused"


async def test_headraces_own_tables_are_refused_with_a_sentence() -> None:
    _, job = await ended("own")
    assert job.error is not None
    assert job.error.message == "DynamoDB takes none of the writes: no such table: user:LanesTable"


async def test_a_deletion_of_the_handlers_is_never_left_out() -> None:
    jobs = FakeJobRepository()
    job = await jobs.add(Change(running()), NOW)
    assert isinstance(job, Job)
    later = job.model_copy(update={"version": job.version + 1})
    own = Deletion(table="user:accounts", key=A, condition=If(equal={"cents": 0}))
    assert await commit(jobs, Change(later, (own,)), job.version) == CompanionRefused(job_id=job.id, index=0)


def test_run_job_tells_what_would_be_written() -> None:
    run = run_job(transfer, Transfer())
    assert run.result == Moved(cents=30)
    assert [write.table for write in run.writes] == ["accounts", "accounts"]


def test_the_result_within_done_is_the_declared_one() -> None:
    assert transfer.definition.result is Moved


class Other(BaseModel):
    text: str


async def test_another_result_than_the_declared_one_fails_the_job() -> None:
    @job_type("bank.wrong")
    async def wrong(_: Transfer, __: JobContext) -> Moved | Done[Moved]:
        """Return another model."""
        return Done(Other(text="x"), writes=[Put(table="accounts", key=A)])

    stack = JobStack((wrong,), START)
    job = await stack.submit("bank.wrong", Transfer())
    await stack.drain()
    error = stack.job(job.id).error
    assert error is not None
    assert error.code == "invalid_result"
    assert stack.item("accounts", A) is None


@pytest.mark.parametrize(
    "change",
    [{}, {"set": {"a": 1}, "add": {"a": 1}}, {"set": {"id": "b"}}, {"add": {"a": "text"}}, {"remove": ("a", "a")}],
)
def test_an_update_that_means_nothing_cannot_be_made(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Update.model_validate({"table": "accounts", "key": A, **change})
