"""`headrace.testing` gives handlers secrets, and hides them as a worker does."""

# ruff: noqa: T201 - what is printed is what is tested
import logging

from pydantic import BaseModel

from headrace import JobContext, Secret, job_type
from headrace.testing import Effect, JobStack, run_job, survives_crashes
from tests.factories import NOW

VALUE = "sk_live_0123456789"
HIDDEN = "[secret stripe]"
PAYLOAD = {"token": {"secret": "stripe"}}


class Payment(BaseModel):
    token: Secret


class Paid(BaseModel):
    by: str


charged: dict[str, str] = {}


def _charge(token: str, key: str) -> None:
    charged[key] = token


charge = Effect(_charge, key="key")


@job_type("payments.charge")
async def pay(payment: Payment, context: JobContext) -> Paid:
    """Charge a card, and talk about it."""
    token = payment.token.value
    print("printed", token)
    logging.getLogger("shop").warning("logged %s", token)
    await context.report_progress(0.5, token)
    charge(token, context.idempotency_key)
    return Paid(by=token)


def test_run_job_gives_the_secret_to_the_handler_and_shows_its_name() -> None:
    run = run_job(pay, PAYLOAD, secrets={"stripe": VALUE})
    assert run.result == Paid(by=HIDDEN)
    assert VALUE in charged.values()
    assert run.printed == f"printed {HIDDEN}\n"
    assert [line.text for line in run.logs] == [f"logged {HIDDEN}"]
    assert [report.message for report in run.progress] == [HIDDEN]


def test_without_it_the_job_fails() -> None:
    run = run_job(pay, PAYLOAD)
    assert run.error is not None
    assert (run.status, run.error.code) == ("failed", "secret_missing")


async def test_a_stack_has_secrets() -> None:
    stack = JobStack((pay,), NOW)
    stack.secrets["stripe"] = VALUE
    job = await stack.submit("payments.charge", PAYLOAD)
    await stack.drain()
    assert stack.job(job.id).result == Paid(by=HIDDEN)


def test_crashes_are_tried_with_secrets() -> None:
    assert survives_crashes(pay, PAYLOAD, effects=[charge], secrets={"stripe": VALUE}) > 1
