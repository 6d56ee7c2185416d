"""What a handler logs, prints and raises names its job, sync or async, with other jobs beside it."""

# ruff: noqa: T201 - what is printed is what is tested
import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from aws_lambda_powertools import Logger
from pydantic import BaseModel, JsonValue

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.execution import JobExecutor
from functions.attempts.attempt_log import AttemptLog
from functions.attempts.handler_log import MAX_TEXT, handlers_logged
from functions.attempts.printed_lines import MAX_LINE
from functions.attempts.telemetry import log_execution
from functions.runtime import now as real_now
from functions.worker.batch import run_batch
from headrace import job_type
from headrace.authoring.context import JobContext, SyncJobContext
from headrace.authoring.job_type import Handler
from headrace.authoring.json_text import JsonText
from headrace.authoring.trace import span_id
from headrace.testing.clock import half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from tests.factories import queued
from tests.unit.worker.test_batch import NOWHERE_ELSE, a_keeper, record

Line = dict[str, JsonValue]
SERVICE = "worker-under-test"
orders = logging.getLogger("shop.orders")


class Order(BaseModel):
    number: int = 0


def talk(number: int) -> None:
    orders.info("order %d", number)
    print("printed", number)
    print("half a line", end="")
    orders.debug("not from INFO on")


@job_type("order.plain")
def plain(order: Order, context: SyncJobContext) -> Order:
    """Talk and fail, in a thread."""
    talk(order.number)
    raise KeyError(f"order-{order.number}")


@job_type("order.async")
async def on_loop(order: Order, context: JobContext) -> Order:
    """Talk and fail, on the loop."""
    talk(order.number)
    await asyncio.sleep(0)
    raise KeyError(f"order-{order.number}")


def a_logger(out: io.StringIO) -> Logger:
    logging.Logger.manager.loggerDict.pop(SERVICE, None)  # Powertools keeps the first handler of a name.
    return Logger(SERVICE, logger_handler=logging.StreamHandler(out))


def said(
    handler: Handler,
    capsys: pytest.CaptureFixture[str],
    payloads: tuple[str, ...] = ("{}",),
    traceparent: str | None = None,
) -> list[str]:
    """The lines that a batch with one job for each payload writes."""

    async def batch(logger: Logger) -> None:
        jobs, now = FakeJobRepository(), real_now()
        waiting = [
            queued(
                now, id=f"job-{place}", type=handler.definition.name, payload=JsonText(payload), traceparent=traceparent
            )
            for place, payload in enumerate(payloads)
        ]
        for job in waiting:
            await jobs.add(Change(job), now)
        catalogue = Catalogue([handler])
        executor = JobExecutor(jobs, catalogue, real_now, numbered_ids(), half, {}, 2, AttemptLog(logger))
        records = [record(job, place) for place, job in enumerate(waiting)]
        deadline = now + timedelta(seconds=60)
        await run_batch(executor, NOWHERE_ELSE, records, deadline, a_keeper(), partial(log_execution, logger))

    logger = a_logger(out := io.StringIO())
    with handlers_logged(logger, "INFO"):
        asyncio.run(batch(logger))
    return [*out.getvalue().splitlines(), *capsys.readouterr().out.splitlines()]


def of_handler(lines: list[str]) -> list[Line]:
    return [line for line in map(json.loads, lines) if "source" in line]


@pytest.fixture(autouse=True)
def _levels_as_before() -> Iterator[None]:
    yield
    logging.getLogger("asyncio").setLevel(logging.NOTSET)


@pytest.mark.parametrize("handler", [plain, on_loop], ids=["plain", "async"])
def test_two_jobs_of_a_batch_each_have_their_own_lines(handler: Handler, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(handler, capsys, ('{"number":0}', '{"number":1}'))
    for number in (0, 1):
        job = {"job_id": f"job-{number}", "job_type": handler.definition.name, "attempt": 1}
        mine = [line for line in of_handler(lines) if line["job_id"] == job["job_id"]]
        assert [(line["source"], line["level"], line["logger"], line["message"]) for line in mine] == [
            ("handler", "INFO", "shop.orders", f"order {number}"),
            ("stdout", "INFO", "stdout", f"printed {number}"),
            ("stdout", "INFO", "stdout", "half a line"),
        ]
        assert all(job.items() <= line.items() for line in mine)
        assert str(mine[0]["location"]).startswith("talk:")
        assert str(mine[1]["location"]).startswith("talk:")


@job_type("test.contexts_plain")
def contexts_plain(order: Order, context: SyncJobContext) -> Order:
    """Log by the context's logger, in a thread."""
    context.logger.info("order %d", order.number)
    return order


@job_type("test.contexts_async")
async def contexts_async(order: Order, context: JobContext) -> Order:
    """The same on the loop."""
    context.logger.info("order %d", order.number)
    return order


@pytest.mark.parametrize("handler", [contexts_plain, contexts_async], ids=["plain", "async"])
def test_the_contexts_logger_has_the_types_name_and_carries_the_job(
    handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = of_handler(said(handler, capsys, ('{"number":7}',)))
    assert (line["logger"], line["message"], line["job_id"]) == (handler.definition.name, "order 7", "job-0")


@pytest.mark.parametrize("handler", [plain, on_loop], ids=["plain", "async"])
def test_an_attempt_is_logged_when_it_starts_and_when_it_ends_with_its_message_and_frames(
    handler: Handler, capsys: pytest.CaptureFixture[str]
) -> None:
    started, ended = [line for line in map(json.loads, said(handler, capsys)) if "source" not in line]
    assert started["message"] == "job_attempt_started"
    assert (started["job_id"], started["attempt"], started["max_attempts"]) == ("job-0", 1, ended["max_attempts"])
    assert ended["message"] == "job_attempt_finished"
    assert (ended["error_code"], ended["error_message"]) == ("KeyError", "'order-0'")
    assert 10 < ended["memory_mb"] < 10_000, "Lambda's own reports of attempts that went well are not kept"
    (frame,) = ended["error_frames"]
    assert frame.startswith("tests/unit/attempts/test_handler_log.py:")
    assert frame.endswith(" on_loop" if handler is on_loop else " plain")


@pytest.mark.parametrize("handler", [plain, on_loop], ids=["plain", "async"])
def test_every_line_of_an_attempt_names_its_trace(handler: Handler, capsys: pytest.CaptureFixture[str]) -> None:
    given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    lines = [json.loads(line) for line in said(handler, capsys, traceparent=given)]
    assert len(lines) == 5
    assert {line["trace_id"] for line in lines} == {given[3:35]}
    assert {line["span_id"] for line in lines} == {span_id("job-0", 1)}
    assert not any("trace_id" in line for line in map(json.loads, said(handler, capsys)))


def test_a_job_that_has_ended_is_in_the_log_while_another_one_of_its_batch_still_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @job_type("order.slow")
    async def slow(order: Order) -> Order:
        """Wait."""
        await asyncio.sleep(order.number / 5)
        orders.info("done")
        return order

    lines = [json.loads(line) for line in said(slow, capsys, ('{"number":0}', '{"number":1}'))]
    times = {(line["message"], line["job_id"]): line["timestamp"] for line in lines}
    assert times["job_attempt_finished", "job-0"] < times["done", "job-1"]


def test_a_text_of_json_stays_a_text_and_a_broken_call_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise ZeroDivisionError

    @job_type("order.odd")
    async def odd(order: Order) -> Order:
        """Log what is hard to log."""
        print('{"a": 1}')
        orders.warning('{"a": 1}')
        orders.warning("%d", "no number")
        orders.warning("%s", Hostile())
        orders.warning("extra", extra={"job_id": "another", "hostile": Hostile()})
        orders.warning("x" * (MAX_TEXT + 1))
        return order

    messages = [line["message"] for line in of_handler(said(odd, capsys))]
    assert messages == [
        '{"a": 1}',
        '{"a": 1}',
        "%d cannot be formatted: TypeError",
        "%s cannot be formatted: ZeroDivisionError",
        "a log record cannot be written as JSON: ZeroDivisionError",
        "x" * MAX_TEXT,
    ]


def test_a_long_line_becomes_several_and_metrics_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    metric = '{"_aws": {}, "text": "' + "m" * (2 * MAX_LINE) + '"}'

    @job_type("order.long")
    def long(order: Order) -> Order:
        """Print much."""
        print("x" * (MAX_LINE + 1), end="")
        print()
        print("{" + "y" * MAX_LINE)
        print(metric)
        return order

    lines = said(long, capsys)
    assert metric in lines
    printed = [str(line["message"]) for line in of_handler([line for line in lines if line != metric])]
    assert [len(text) for text in printed] == [MAX_LINE, 1, MAX_LINE, 1]


def test_outside_an_attempt_prints_and_records_go_out_as_they_would(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logger = a_logger(io.StringIO())
    with handlers_logged(logger, "INFO"):
        print("as it is")
        orders.warning("of nobody")
        thread = threading.Thread(target=print, args=("from a thread",))
        thread.start()
        thread.join()
    assert capsys.readouterr().out == "as it is\nfrom a thread\n"
    assert caplog.messages == ["of nobody"]


def test_where_the_root_logger_has_no_handler_records_outside_attempts_go_out_as_python_writes_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logger = a_logger(out := io.StringIO())
    with handlers_logged(logger, "INFO"):
        logger.info("once")
        logger.warning("once too")
        orders.info("not by default")
        orders.warning("of nobody")
    assert [json.loads(line)["message"] for line in out.getvalue().splitlines()] == ["once", "once too"]
    written = capsys.readouterr()
    assert (written.out, written.err) == ("", "of nobody\n")


def test_what_a_handler_logs_with_powertools_names_its_job_and_is_written_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @job_type("order.powertools")
    async def powertools(order: Order) -> Order:
        """Log with the functions' own logger."""
        Logger(SERVICE).info("with powertools")
        return order

    (line,) = of_handler(said(powertools, capsys))
    assert (line["message"], line["job_id"], line["source"]) == ("with powertools", "job-0", "handler")
