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
from domain.jobs.listing import JobListing
from functions.api.app import create_app
from functions.api.identity import sam_local_email
from functions.runtime import Runtime, job_listing, new_id, now
from functions.settings import read_settings
from job_types import catalogue

Event = dict[str, object]
TEXT = ["text/", "application/json", "application/problem+json", "application/javascript"]


def build(
    runtime: Runtime, listing: JobListing, logger: Logger, job_types: Catalogue
) -> Callable[[Event, LambdaContext], Event]:
    """The handler on this environment's loop and repositories."""
    email = sam_local_email(os.environ)
    app = create_app(runtime.jobs, listing, runtime.users, job_types, now, new_id, logger, email)
    mangum = Mangum(app, lifespan="off", text_mime_types=TEXT)

    def handle(event: Event, context: LambdaContext) -> Event:
        logger.append_keys(function_request_id=context.aws_request_id)
        return mangum(event, context)  # type: ignore[arg-type]  # Mangum's name for the same thing

    return handle


_SETTINGS = read_settings(os.environ)
_RUNTIME = Runtime(_SETTINGS)
handler = build(_RUNTIME, job_listing(_SETTINGS, _RUNTIME.client), Logger(), catalogue())

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
