"""Secrets in what is committed beside a result: jobs that are submitted, and what the job comes to otherwise."""

from typing import Literal

import pytest
from pydantic import BaseModel, JsonValue

from domain.jobs.job import BlobRef
from domain.jobs.outcomes import Done as Outcome
from domain.secrets.hidden import Hidden
from headrace import Check, Done, Fail, If, JobContext, Retry, Secret, job_type
from headrace.testing import JobStack, run_job
from headrace.testing.clock import START

VALUE = "sk_live_4f\n2"


class Order(BaseModel):
    token: Secret
    how: Literal["submits", "otherwise", "refused"] = "submits"


class Mail(BaseModel):
    token: str
    more: JsonValue = None


class Sent(BaseModel):
    text: str = ""


def lane_of(mail: Mail, _: str) -> str:
    return mail.token


@job_type("mail.send", limit=1, lane=lane_of)
async def send(mail: Mail, _: JobContext) -> Sent:
    """Send a mail."""
    return Sent(text=mail.token)


@job_type("order")
async def take(order: Order, context: JobContext) -> Sent | Done[Sent]:
    """Take an order, carelessly."""
    value = order.token.value
    unmet = Check(table="t", key={"id": value}, condition=If())
    match order.how:
        case "submits":
            mail = {"token": value, "more": [{f"x {value}": value}, 1, None]}
            context.submit("mail.send", mail, name="mail", tags={f"of {value}": value})
            return Sent()
        case "otherwise":
            return Done(Sent(), writes=[unmet], otherwise=Fail(code=f"E {value}", reason=f"401 for {value}"))
        case "refused":
            return Done(Sent(), writes=[unmet])


async def ended(how: str) -> JobStack:
    stack = JobStack((take, send), START)
    stack.secrets["stripe"] = VALUE
    await stack.submit("order", {"token": {"secret": "stripe"}, "how": how})
    await stack.drain()
    return stack


async def test_a_job_that_is_submitted_holds_no_secret() -> None:
    stack = await ended("submits")
    (mail,) = stack.submitted("mail.send")
    assert (mail.status, mail.result) == ("succeeded", Sent(text="[secret stripe]"))
    assert mail.tags == {"of [secret stripe]": "[secret stripe]"}
    assert "sk_live" not in repr([job.model_dump() for job in stack._jobs.stored])


def test_run_job_shows_what_would_be_stored() -> None:
    (mail,) = run_job(take, {"token": {"secret": "stripe"}}, secrets={"stripe": VALUE}).submitted
    shown: JsonValue = [{"x [secret stripe]": "[secret stripe]"}, 1, None]
    assert mail.payload == {"token": "[secret stripe]", "more": shown}


@pytest.mark.parametrize(
    ("how", "code", "message"),
    [
        (
            "otherwise",
            "E [secret stripe]",
            '401 for [secret stripe] (the condition of write 1, Check t {"id":"[secret stripe]"}, does not hold)',
        ),
        ("refused", "write_refused", 'the condition of write 1, Check t {"id":"[secret stripe]"}, does not hold'),
    ],
)
async def test_a_refused_write_does_not_tell_it(how: str, code: str, message: str) -> None:
    stack = await ended(how)
    (job,) = stack.submitted("order")
    assert job.error is not None
    assert (job.status, job.error.code, job.error.message) == ("failed", code, message)
    assert "sk_live" not in repr([job.model_dump() for job in stack._jobs.stored])


def test_what_a_job_comes_to_otherwise_is_hidden_whatever_its_result_is() -> None:
    hidden = Hidden()
    hidden.add("s", "123456")
    result = BlobRef(key="k", size=1, sha256="0")
    outcome = Outcome(result=result, otherwise=Retry(code="c123456", reason="no 123456"))
    told = Retry(code="c[secret s]", reason="no [secret s]")
    assert hidden.outcome(outcome) == Outcome(result=result, otherwise=told)
