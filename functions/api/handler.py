"""Entry point of ApiFunction: API Gateway HTTP API events, payload format 2.0."""

import gc

# Importing creates no garbage, and looking for some costs a fifth of a cold start.
gc.disable()

import os
from collections.abc import Callable

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext
from mangum import Mangum

from domain.jobs.catalogue import Catalogue
from domain.jobs.listing import JobListing
from functions.api.app import create_app
from functions.api.http.event import Event, readable
from functions.api.http.identity import sam_local_email
from functions.api.jobs.waiting import LONGEST_WAIT
from functions.runtime import Runtime, held_to, job_listing, new_id, now, user_repository
from functions.settings import ApiSettings, read_api_settings, read_settings
from job_types import catalogue

TEXT = ["text/", "application/json", "application/problem+json", "application/javascript"]


def build(
    runtime: Runtime, listing: JobListing, logger: Logger, job_types: Catalogue, settings: ApiSettings
) -> Callable[[Event, LambdaContext], Event]:
    """Build the Lambda handler on this environment's event loop and repositories."""
    app = create_app(
        runtime.jobs,
        listing,
        user_repository(settings, runtime.client),
        job_types,
        now,
        new_id,
        logger,
        sam_local_email(os.environ),
        trust_unverified_email=settings.trust_unverified_email,
        longest_wait=min(settings.longest_wait, LONGEST_WAIT),
    )
    mangum = Mangum(app, lifespan="off", text_mime_types=TEXT)

    def handle(event: Event, context: LambdaContext) -> Event:
        logger.append_keys(function_request_id=context.aws_request_id)
        return mangum(readable(event), context)  # type: ignore[arg-type]  # Mangum's name for the same thing

    return handle


def _start() -> Callable[[Event, LambdaContext], Event]:
    settings, ours = read_settings(os.environ), read_api_settings(os.environ)
    runtime = Runtime(settings)
    listing = job_listing(settings, ours.cursor_key, runtime.client)
    return build(runtime, listing, held_to(Logger(), settings.log_level), catalogue(), ours)


handler = _start()

# Imported objects live for the whole process, so later collections skip them.
gc.freeze()
gc.enable()
