"""Entry point of every runner, as `StandardRunnerFunction`: messages of its queue, each of which names a job."""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import dataclasses
import os
from collections.abc import Callable

from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.children.cancelling import CancelChildren
from domain.jobs.fitting import refuse_unrunnable
from domain.jobs.run_due import DueJobRunner
from domain.webhooks.delivery import DELIVERY
from functions.adapters import blob_store
from functions.attempts.deliver_webhook import DeliverWebhook
from functions.attempts.invocation import (
    RESERVE,
    Event,
    Response,
    batch_response,
    deliver_messages,
    job_executor,
    records_of,
)
from functions.compose import Parts, child_canceller, compose, delivery_service, dispatcher
from functions.runtime import now
from functions.settings import read_blob_settings, read_runner_settings, read_webhook_settings


def build(parts: Parts) -> Callable[[Event, LambdaContext], Response]:
    """The handler, made of these parts.

    Raises `UnrunnableJobType` when a job type could never run in this function.
    """
    settings = read_runner_settings(parts.environment)
    refuse_unrunnable(parts.job_types, settings.runner, settings.function_timeout - RESERVE)
    blobs = blob_store(read_blob_settings(parts.environment), parts.runtime)
    able = parts if settings.runner != DELIVERY.policy.runs_in else _with_own_types(parts)
    due_jobs = DueJobRunner(parts.jobs, job_executor(able, blobs), dispatcher(parts), settings.runner, now)

    def handle(event: Event, context: LambdaContext) -> Response:
        """Return Lambda's partial batch response: the messages to deliver again."""
        parts.logger.append_keys(function_request_id=context.aws_request_id)
        return batch_response(deliver_messages(parts, due_jobs, records_of(event), context))

    return handle


def _with_own_types(parts: Parts) -> Parts:
    """The parts of the one runner that runs Headrace's own job types, and has the rights to."""
    service = delivery_service(read_webhook_settings(parts.environment), parts.runtime.client)
    own = parts.job_types.with_own(DeliverWebhook(service, parts.logger)).with_own(
        CancelChildren(child_canceller(parts))
    )
    return dataclasses.replace(parts, job_types=own)


handler = build(compose(os.environ))

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
