"""Entry point of ApiFunction: API Gateway HTTP API events, payload format 2.0."""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import os
from collections.abc import Callable

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from mangum import Mangum

from domain.jobs.job_type import Catalogue
from functions.api.app import create_app
from functions.api.event import Event, readable
from functions.api.identity import sam_local_email
from functions.api.waiting import LONGEST_WAIT_SECONDS, read_longest_wait
from functions.runtime import Runtime, new_id, now
from functions.settings import read_settings
from job_types import catalogue

TEXT = ["text/", "application/json", "application/problem+json", "application/javascript"]


def build(runtime: Runtime, logger: Logger, job_types: Catalogue) -> Callable[[Event, LambdaContext], Event]:
    """The handler on this environment's loop and repositories."""
    environment = os.environ
    app = create_app(
        runtime.jobs,
        runtime.users,
        job_types,
        now,
        new_id,
        logger,
        sam_local_email(environment),
        trust_unverified_email=environment.get("TRUST_UNVERIFIED_EMAIL") == "on",
        longest_wait_seconds=read_longest_wait(environment.get("LONGEST_WAIT_SECONDS", str(LONGEST_WAIT_SECONDS))),
    )
    mangum = Mangum(app, lifespan="off", text_mime_types=TEXT)

    def handle(event: Event, context: LambdaContext) -> Event:
        logger.append_keys(function_request_id=context.aws_request_id)
        return mangum(readable(event), context)  # type: ignore[arg-type]  # Mangum's name for the same thing

    return handle


handler = build(Runtime(read_settings(os.environ)), Logger(), catalogue())

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
