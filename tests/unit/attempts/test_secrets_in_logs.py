"""Nothing that a handler logs or prints shows the value of a secret, whichever way it goes out."""

# ruff: noqa: T201 - what is printed is what is tested
import asyncio
import io
import json
import logging
from datetime import timedelta
from functools import partial

import pytest
from aws_lambda_powertools import Logger
from pydantic import BaseModel

from domain.jobs.catalogue import Catalogue
from domain.jobs.change import Change
from domain.jobs.execution import JobExecutor
from functions.attempts.attempt_log import AttemptLog
from functions.attempts.handler_log import handlers_logged
from functions.attempts.telemetry import log_execution
from functions.runtime import now as real_now
from functions.worker.batch import run_batch
from headrace import Secret, job_type
from headrace.authoring.job_type import Handler
from headrace.authoring.json_text import JsonText
from headrace.testing.clock import half, numbered_ids
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.secret_store import AnyonesSecrets
from tests.factories import queued
from tests.unit.attempts.test_handler_log import SERVICE, a_logger
from tests.unit.worker.test_batch import NOWHERE_ELSE, a_keeper, record

VALUE = 'sk_"live"_0123456789'
log = logging.getLogger("shop.payments")


class Payment(BaseModel):
    token: Secret


class Nothing(BaseModel):
    pass


def talk(token: str) -> None:
    print("printed", token)
    print("in two", token[:9], sep=" ", end="")
    print(token[9:], "parts")
    print("x" * 8187 + token)
    log.info("logged %s", token)
    log.info("with extra", extra={"token": {"value": token}})
    Logger(SERVICE).info("by the functions' own logger", token=token)
    try:
        dict[str, int]()[f"no {token}"] += 1
    except LookupError:
        log.exception("with its traceback")
    print("unfinished", token, end="")
    raise PermissionError(f"401 {token}")


@job_type("payments.plain")
def plain(payment: Payment) -> Nothing:
    """Talk, in a thread."""
    talk(payment.token.value)
    return Nothing()


@job_type("payments.async")
async def on_loop(payment: Payment) -> Nothing:
    """Talk, on the loop."""
    talk(payment.token.value)
    return Nothing()


@pytest.mark.parametrize("handler", [plain, on_loop], ids=["plain", "async"])
def test_every_line_has_the_secrets_name_instead(handler: Handler, capsys: pytest.CaptureFixture[str]) -> None:
    async def batch(logger: Logger) -> None:
        jobs, now = FakeJobRepository(), real_now()
        payload = JsonText('{"token":{"secret":"stripe"}}')
        job = queued(now, id="job-1", type=handler.definition.name, payload=payload)
        await jobs.add(Change(job), now)
        secrets = AnyonesSecrets({"stripe": VALUE})
        executor = JobExecutor(
            jobs, Catalogue([handler]), real_now, numbered_ids(), half, {}, 2, AttemptLog(logger),
            secrets=lambda: secrets,
        )  # fmt: skip
        deadline = now + timedelta(seconds=60)
        report = partial(log_execution, logger)
        await run_batch(executor, NOWHERE_ELSE, [record(job, 0)], deadline, a_keeper(), report)
        assert "[secret stripe]" in str(jobs.stored)
        assert VALUE not in str(jobs.stored)

    logger = a_logger(out := io.StringIO())
    with handlers_logged(logger, "DEBUG"):
        asyncio.run(batch(logger))
    written = out.getvalue() + "".join(capsys.readouterr())
    for form in (VALUE, json.dumps(VALUE)[1:-1], json.dumps(json.dumps(VALUE))[1:-1], VALUE[9:], "0123456789"):
        assert form not in written
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    assert sum("[secret stripe]" in json.dumps(line) for line in lines) >= 8
    assert logger.registered_handler.stream is out  # type: ignore[attr-defined]  # a StreamHandler's
