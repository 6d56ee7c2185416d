"""Entry point of ApiFunction: API Gateway HTTP API events, payload format 2.0."""

import gc

# Importing creates no garbage, and looking for some costs a fifth of a cold start.
gc.disable()

import os
from collections.abc import Callable

from aws_lambda_powertools.utilities.typing import LambdaContext
from mangum import Mangum

from domain.quotas.quotas import Quotas
from functions.adapters import (
    blob_store,
    child_listing,
    count_repository,
    endpoint_repository,
    file_repository,
    job_listing,
    lane_repository,
    schedule_listing,
    schedule_repository,
    signer_repository,
    stats_repository,
    step_listing,
    step_repository,
    tick_queue,
    usage_repository,
    user_listing,
    user_repository,
)
from functions.api.app import create_app
from functions.api.http.event import Event, readable
from functions.api.http.identity import sam_local_email
from functions.api.http.prefixes import without_prefix
from functions.api.http.xray import VARIABLE, with_traceparent
from functions.api.jobs.waiting import LONGEST_WAIT
from functions.api.parts import Large, Remembering, Scheduling, Webhooks
from functions.compose import Parts, compose
from functions.runtime import new_id, new_secret, now
from functions.settings import (
    read_api_settings,
    read_blob_settings,
    read_page_settings,
    read_schedule_settings,
    read_stats_table,
    read_webhook_settings,
)

TEXT = ["text/", "application/json", "application/problem+json", "application/javascript"]


def build(parts: Parts) -> Callable[[Event, LambdaContext], Event]:
    """Build the Lambda handler of these parts."""
    settings, client = read_api_settings(parts.environment), parts.runtime.client
    blob_settings = read_blob_settings(parts.environment)
    schedule_settings = read_schedule_settings(parts.environment)
    blobs = blob_store(blob_settings, parts.runtime)
    hooks = read_webhook_settings(parts.environment)
    stats_table = read_stats_table(parts.environment)
    app = create_app(
        parts.jobs,
        job_listing(parts.settings, settings.cursor_key, client),
        user_repository(settings, client),
        parts.job_types,
        now,
        new_id,
        parts.logger,
        sam_local_email(parts.environment),
        trust_unverified_email=settings.trust_unverified_email,
        longest_wait=min(settings.longest_wait, LONGEST_WAIT),
        lanes=parts.lanes,
        lane_store=lane_repository(parts.settings, client),
        large=Large(blobs, file_repository(blob_settings, client), blob_settings.file_lifetime),
        scheduling=lambda: Scheduling(
            schedule_repository(schedule_settings.table, client),
            schedule_listing(schedule_settings.table, settings.cursor_key, client),
            tick_queue(schedule_settings.wake_queue_url, parts.settings.queues_url),
            schedule_settings.per_owner,
        ),
        remembering=lambda: Remembering(
            step_repository(parts.settings, client),
            step_listing(parts.settings, settings.cursor_key, client),
            count_repository(parts.settings, client),
            child_listing(parts.settings, settings.cursor_key, client),
        ),
        user_lists=user_listing(settings, client),
        webhooks=Webhooks(
            endpoint_repository(hooks.webhooks_table, client),
            signer_repository(hooks.webhook_secrets_table, client),
            new_secret,
        ),
        stats=(lambda: stats_repository(stats_table, client)) if stats_table else None,
        quotas=Quotas(usage_repository(parts.settings, client), settings.quota, now),
        page=read_page_settings(parts.environment),
    )
    mangum = Mangum(app, lifespan="off", text_mime_types=TEXT)

    def handle(event: Event, context: LambdaContext) -> Event:
        parts.logger.append_keys(function_request_id=context.aws_request_id)
        traced = with_traceparent(readable(event), parts.environment.get(VARIABLE))
        return mangum(without_prefix(traced), context)  # type: ignore[arg-type]  # Mangum's name for the same thing

    return handle


handler = build(compose(os.environ))

# Imported objects live for the whole process, so later collections skip them.
gc.freeze()
gc.enable()
