"""`run_job` runs one attempt as a worker does, and says what came of it."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest
from pydantic import BaseModel

from headrace import Fail, Handler, JobContext, JobType, Retry, Stopped, SyncJobContext, job_type
from headrace.testing import JobStack, ProgressReport, SubmissionRefused, run_job, run_job_async, survives_crashes
from headrace.testing.clock import START
from headrace.testing.running import HandlerOf
from tests.documented.mail import SendMail
from tests.documented.word_count import Document, WordCount, count_words

logger = logging.getLogger("orders")


class Order(BaseModel):
    number: int = 0


class Shipped(BaseModel):
    parcels: int


def test_an_async_function_succeeds_with_its_result_model() -> None:
    run = run_job(count_words, {"text": "a b c"})
    assert run.succeeded
    assert run.result == WordCount(words=3)
    assert run.progress == (ProgressReport(0.5, "counting"),)


def test_a_payload_may_be_a_model() -> None:
    assert run_job(count_words, Document(text="a b")).result.words == 2


async def test_it_is_called_the_same_way_in_an_async_test() -> None:
    assert run_job(count_words, {"text": "a"}).result.words == 1


async def test_a_handler_can_share_the_loop_of_its_test() -> None:
    arrived = asyncio.Event()

    @job_type("order.wait")
    async def wait(order: Order) -> Shipped:
        """Wait for the test."""
        await arrived.wait()
        return Shipped(parcels=order.number)

    running = asyncio.create_task(run_job_async(wait, {"number": 2}))
    await asyncio.sleep(0)
    arrived.set()
    assert (await running).result.parcels == 2


async def undecorated(order: Order) -> Shipped:
    return Shipped(parcels=order.number)


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (undecorated, "the handler is the function undecorated, which is no job type without @job_type(…)"),
        (SendMail, "the handler is the class SendMail, where an instance is needed: SendMail()"),
        (7, "the handler is no job type, but of type int: it needs a `definition` and a method `run`"),
    ],
    ids=["function", "class", "number"],
)
def test_what_is_no_job_type_is_told_in_a_sentence(handler: HandlerOf[BaseModel], told: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: run_job(handler, {}),
        lambda: survives_crashes(handler, {}, effects=()),
        lambda: JobStack((cast("Handler", handler),), START),
    ]
    for call in calls:
        with pytest.raises(TypeError) as refused:
            call()
        assert str(refused.value) == told


@job_type("order.ship", max_attempts=3, settings=("CARRIER",))
def ship(order: Order, context: SyncJobContext) -> Shipped | Retry | Fail | Stopped:
    """Ship an order."""
    logger.info("ships %d", order.number)
    logger.debug("never shown")
    print("by", context.settings.get("CARRIER"))  # noqa: T201 - what it prints is tested
    context.report_progress(0.1)
    context.report_progress(0.9, "packed")
    if context.cancel_requested():
        return Stopped()
    if order.number == 1:
        return Retry(reason="the carrier is closed", after=timedelta(hours=2))
    if order.number == 2:
        return Fail(reason="no such order", code="unknown_order")
    if order.number == 3:
        raise KeyError("shelf")
    return Shipped(parcels=context.attempt)


def test_a_plain_function_s_records_prints_and_reports_are_noted() -> None:
    run = run_job(ship, {}, settings={"CARRIER": "Bring"}, attempt=2)
    assert run.result.parcels == 2
    assert [(line.level, line.text, line.logger) for line in run.logs] == [("INFO", "ships 0", "orders")]
    assert run.printed == "by Bring\n"
    assert [report.fraction for report in run.progress] == [0.1, 0.9]


def test_what_it_prints_is_shown_by_pytest_too(capsys: pytest.CaptureFixture[str]) -> None:
    run_job(ship, {})
    assert capsys.readouterr().out == "by None\n"


def test_a_retry_says_how_long_it_waits() -> None:
    run = run_job(ship, {"number": 1})
    assert (run.status, run.retry_after) == ("retrying", timedelta(hours=2))
    assert run.error is not None
    assert run.error.message == "the carrier is closed"


def test_the_last_attempt_of_a_retry_fails_the_job() -> None:
    assert run_job(ship, {"number": 1}, attempt=3).status == "failed"
    assert run_job(ship, {"number": 1}, attempt=3, max_attempts=4).status == "retrying"


def test_a_failure_has_its_code() -> None:
    run = run_job(ship, {"number": 2})
    assert run.status == "failed"
    assert run.error is not None
    assert (run.error.code, run.retry_after) == ("unknown_order", None)


def test_asking_a_failed_run_for_its_result_tells_what_was_raised_and_where() -> None:
    run = run_job(ship, {"number": 3})
    assert isinstance(run.exception, KeyError)
    with pytest.raises(
        AssertionError, match=r"retrying \(KeyError: 'shelf'\)\n  .*test_run_job.py:\d+ in ship"
    ) as told:
        _ = run.result
    assert told.value.__cause__ is run.exception


def test_a_person_may_ask_to_cancel_during_the_attempt() -> None:
    assert run_job(ship, {}, cancel_after=0).status == "cancelled"
    assert run_job(ship, {}, cancel_after=1).status == "succeeded"


def test_a_payload_that_the_api_would_refuse_is_refused() -> None:
    with pytest.raises(SubmissionRefused, match="payload/text: Input should be a valid string"):
        run_job(count_words, {"text": 7})
    with pytest.raises(SubmissionRefused, match="the limit is 5242880"):
        run_job(count_words, {"text": "x" * 5_300_000})
    with pytest.raises(SubmissionRefused, match="not JSON"):
        run_job(count_words, {"text": object()})


async def test_what_is_raised_reaches_an_async_test_as_well() -> None:
    with pytest.raises(SubmissionRefused):
        run_job(count_words, {"text": 7})


def test_a_setting_that_the_job_type_does_not_declare_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"order.ship does not declare TOKEN; write settings=\('CARRIER', 'TOKEN'\)"):
        run_job(ship, {}, settings={"TOKEN": "x"})


def test_a_class_runs_likewise() -> None:
    run = run_job(SendMail(), {"to": "a@example.com", "subject": "", "text": ""}, settings={"SMTP_HOST": "127.0.0.1:1"})
    assert run.status == "retrying"
    assert isinstance(run.exception, OSError)


def test_a_timeout_stops_the_attempt_when_it_is_asked_for() -> None:
    @job_type("order.hang")
    async def hang(order: Order) -> Shipped:
        """Never end."""
        await asyncio.sleep(60)
        return Shipped(parcels=order.number)

    begun = time.monotonic()
    run = run_job(hang, {}, timeout=timedelta(milliseconds=10))
    assert run.error is not None
    assert (run.error.code, run.error.message) == ("timeout", "the attempt took longer than 0.01 s")
    assert time.monotonic() - begun < 1


class Ship:
    definition = JobType[Order, Shipped](name="order.ship", summary="", payload=Order, result=Shipped)

    async def run(self, order: Order, context: JobContext) -> Shipped:
        assert context.idempotency_key == context.job_id
        return Shipped(parcels=order.number)


def test_the_result_of_a_class_has_its_type() -> None:
    shipped: Shipped = run_job(Ship(), Order(number=4)).result
    assert shipped.parcels == 4


def test_what_it_raises_is_told_as_one_error() -> None:
    with pytest.raises(SubmissionRefused) as raised:
        run_job(count_words, {"no such member": 1})
    assert raised.value.__context__ is None


@pytest.mark.parametrize("traceparent", ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None])
def test_a_handler_finds_the_trace_of_its_job(traceparent: str | None) -> None:
    @job_type("order.traced")
    def traced(_order: Order, context: SyncJobContext) -> Order:
        """Say what the trace is."""
        print(context.traceparent)  # noqa: T201 - what it prints is tested
        return Order()

    @job_type("order.traced_async")
    async def on_loop(_order: Order, context: JobContext) -> Order:
        """Say what the trace is."""
        print(context.traceparent)  # noqa: T201 - what it prints is tested
        return Order()

    assert run_job(traced, {}, traceparent=traceparent).printed == f"{traceparent}\n"
    assert run_job(on_loop, {}, traceparent=traceparent).printed == f"{traceparent}\n"


def test_a_handler_finds_the_owner_the_tags_and_the_attempts_of_its_job() -> None:
    def told(context: JobContext | SyncJobContext) -> Fail:
        last = "last" if context.attempt == context.max_attempts else "not the last"
        return Fail(reason=f"{context.owner_id} {context.tags['team']} {last}")

    @job_type("order.about")
    def about(order: Order, context: SyncJobContext) -> Shipped | Fail:
        """Say what is known of the job."""
        return told(context)

    @job_type("order.about")
    async def on_loop(order: Order, context: JobContext) -> Shipped | Fail:
        """The same on the loop."""
        return told(context)

    for handler in (about, on_loop):
        for attempt, said in ((2, "not the last"), (4, "last")):
            run = run_job(handler, {}, owner="ada", tags={"team": "ops"}, attempt=attempt, max_attempts=4)
            assert run.error is not None
            assert run.error.message == f"ada ops {said}"
