"""Jobs that a handler submits with its result."""

from datetime import timedelta

import pytest
from pydantic import BaseModel

from headrace import Check, Done, Fail, If, JobContext, Put, Retry, job_type
from headrace.testing import Effect, JobStack, run_job, survives_crashes
from headrace.testing.clock import START


class Order(BaseModel):
    id: str = "7"
    how: str = "well"


class Mail(BaseModel):
    text: str


class Sent(BaseModel):
    text: str = ""


@job_type("mail.send")
async def send(mail: Mail, _: JobContext) -> Sent:
    """Send a mail."""
    return Sent(text=mail.text)


@job_type("mail.slow", limit=1)
async def slowly(mail: Mail, _: JobContext) -> Sent:
    """Send a mail in a lane."""
    return Sent(text=mail.text)


def submit(order: Order, context: JobContext) -> None:
    match order.how:
        case "unknown":
            context.submit("mail.none", Mail(text=""), name="mail")
        case "invalid":
            context.submit("mail.send", {"words": 1}, name="mail")
        case "large":
            context.submit("mail.send", Mail(text="x" * 70_000), name="mail")
        case "huge":
            context.submit("mail.send", Mail(text="x" * 6_000_000), name="mail")
        case "late":
            context.submit("mail.send", Mail(text=""), name="mail", delay=timedelta(days=400))
        case "tags":
            context.submit("mail.send", Mail(text=""), name="mail", tags={"a": 1})  # type: ignore[dict-item]
        case "many":
            for number in range(21):
                context.submit("mail.send", Mail(text=""), name=str(number))
        case _:
            context.submit("mail.send", Mail(text=order.id), name="mail", tags={"order": order.id})
            context.submit("mail.slow", {"text": "later"}, name="later", delay=timedelta(hours=1))
            context.submit("mail.slow", {"text": "lane"}, name="lane")


@job_type("order")
async def take(order: Order, context: JobContext) -> Sent | Done[Sent] | Fail | Retry:
    """Submit jobs, and end as the test says."""
    submit(order, context)
    match order.how:
        case "twice":
            context.submit("mail.send", Mail(text=order.id), name="mail")
        case "fails":
            return Fail(reason="as asked")
        case "retries" if context.attempt == 1:
            return Retry(reason="as asked", after=timedelta(0))
        case "refused":
            return Done(Sent(), writes=[Check(table="t", key={"id": "a"}, condition=If())])
        case "writes" | "crowded":
            count = 70 if order.how == "writes" else 88
            return Done(Sent(), writes=[Put(table="t", key={"id": str(number)}) for number in range(count)])
        case _:
            pass
    return Sent()


async def run(how: str) -> JobStack:
    stack = JobStack((take, send, slowly), START)
    await stack.submit("order", Order(how=how))
    await stack.drain()
    return stack


@pytest.mark.parametrize("how", ["well", "writes", "retries"])
async def test_what_a_job_submitted_exists_when_it_has_succeeded_and_runs(how: str) -> None:
    stack = await run(how)
    await stack.drain()
    (parent,) = stack.submitted("order")
    (mail,) = stack.submitted("mail.send")
    assert (parent.status, mail.result, mail.tags) == ("succeeded", Sent(text="7"), {"order": "7"})
    assert sorted(job.status for job in stack.submitted("mail.slow")) == ["scheduled", "succeeded"]
    await stack.travel(hours=2)
    assert [job.status for job in stack.submitted("mail.slow")] == ["succeeded", "succeeded"]


MESSAGES = {
    "fails": "as asked",
    "refused": 'the condition of write 1, Check t {"id":"a"}, does not hold',
    "crowded": "the handler came to 91 writes and jobs, the limit is 89",
    "unknown": "the job mail cannot be submitted: no job type is named 'mail.none'",
    "invalid": "the job mail cannot be submitted: payload/text: Field required",
    "large": "the payload of the job mail has 70011 bytes of JSON, the limit with a result is 65536",
    "huge": "the payload of the job mail has 6000011 bytes of JSON, the limit is 5242880",
    "late": "the job mail cannot be submitted: delay_seconds: the job would start more than 365 days from now",
    "tags": "the job mail cannot be submitted: tags/a: Input should be a valid string",
    "many": "a handler submits at most 20 jobs with its result",
    "twice": "two jobs are submitted under the name mail: each needs its own",
}


@pytest.mark.parametrize("how", MESSAGES)
async def test_no_job_is_there_when_the_one_that_submitted_it_has_failed(how: str) -> None:
    stack = await run(how)
    (parent,) = stack.submitted()
    assert parent.error is not None
    assert (parent.status, parent.error.message) == ("failed", MESSAGES[how])


async def test_a_failed_job_submits_nothing_however_often_it_is_retried() -> None:
    stack = await run("fails")
    (parent,) = stack.submitted()
    await stack.retry(parent.id)
    await stack.drain()
    assert len(stack.submitted()) == 1


def test_run_job_tells_what_would_be_submitted() -> None:
    job = run_job(take, Order())
    assert [(each.type, each.payload) for each in job.submitted] == [
        ("mail.send", {"text": "7"}), ("mail.slow", {"text": "later"}), ("mail.slow", {"text": "lane"}),
    ]  # fmt: skip
    assert job.writes == ()


class Outbox:
    async def note(self, text: str, idempotency_key: str) -> None:
        """An effect beside the job."""


NOTE = Effect(Outbox().note)


@job_type("order.noted")
async def noted(order: Order, context: JobContext) -> Sent:
    """Make an effect, and submit a job."""
    context.submit("mail.send", Mail(text=order.id), name="mail")
    await NOTE(order.id, context.idempotency_key)
    return Sent()


def test_a_handler_that_submits_survives_crashes() -> None:
    assert survives_crashes(noted, Order(), effects=[NOTE]) > 3
