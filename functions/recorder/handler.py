"""Entry point of RecorderFunction: batches of records of the jobs table's stream."""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import os
from collections.abc import Callable

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.compose import Parts, compose, dispatcher
from functions.recorder.recording import Recorded, record_changes
from functions.runtime import now
from functions.settings import read_recorder_settings

Event = dict[str, object]
Response = dict[str, list[dict[str, str]]]


def build(parts: Parts) -> Callable[[Event, LambdaContext], Response]:
    """The handler, made of these parts."""
    settings, logger, runtime = read_recorder_settings(parts.environment), parts.logger, parts.runtime
    queues = dispatcher(parts, settings.wake_queue_url)

    def handle(event: Event, context: LambdaContext) -> Response:
        """Return Lambda's partial batch response: the records to deliver again."""
        logger.append_keys(function_request_id=context.aws_request_id)
        records = event.get("Records")
        recorded = runtime.run(record_changes(records if isinstance(records, list) else [], queues, now()))
        _report(logger, recorded)
        return {"batchItemFailures": [{"itemIdentifier": number} for number in recorded.failures]}

    return handle


def _report(logger: Logger, recorded: Recorded) -> None:
    logger.debug("wakes_sent", count=recorded.sent)
    if recorded.unsent:
        problem = recorded.unsent[0].problem
        logger.error("wakes_not_sent", count=len(recorded.unsent), reason=problem.reason, detail=problem.detail)
        _count("WakesNotSent", len(recorded.unsent))
    for record in recorded.undecodable:
        logger.error(
            "record_undecodable", job_id=record.job_id, sequence_number=record.sequence_number, detail=record.detail
        )
    if recorded.undecodable:
        _count("UndecodableRecords", len(recorded.undecodable))


def _count(name: str, number: int) -> None:
    metrics = EphemeralMetrics()
    metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()


handler = build(compose(os.environ))

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
