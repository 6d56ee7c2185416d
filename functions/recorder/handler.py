"""Entry point of RecorderFunction: batches of records of the jobs table's stream."""

import gc

# What importing makes is not garbage: to look for some on the way costs a fifth of a cold start.
gc.disable()

import os
from collections.abc import Callable, Sequence
from datetime import timedelta

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from domain.children.counting import NotCounted
from domain.stats.recording import Counted, StatsRecorder
from domain.webhooks.tell_of import TellOf
from domain.webhooks.telling import Teller
from functions.adapters import endpoint_repository, event_bus, stats_repository
from functions.compose import Parts, child_recorder, compose, dispatcher
from functions.recorder.endpoints import KnownEndpoints
from functions.recorder.recording import Recorded, Telling, record_changes
from functions.runtime import new_id, now
from functions.settings import read_recorder_settings

RESERVE = timedelta(seconds=14)
"""What an invocation leaves of its time for the calls that are under way: one takes twelve seconds at the worst."""

Event = dict[str, object]
Response = dict[str, list[dict[str, str]]]


def build(parts: Parts) -> Callable[[Event, LambdaContext], Response]:
    """The handler, made of these parts."""
    settings, logger, runtime = read_recorder_settings(parts.environment), parts.logger, parts.runtime
    queues, tell_of = dispatcher(parts, settings.wake_queue_url), TellOf(parts.job_types)
    known = KnownEndpoints(endpoint_repository(settings.webhooks_table, runtime.client))
    bus = event_bus(settings.event_bus) if settings.event_bus else None
    telling = Telling(Teller(parts.jobs, known, tell_of, now), tell_of, bus)
    table = settings.stats_table
    stats = StatsRecorder(stats_repository(table, runtime.client), now, new_id) if table else None
    children = child_recorder(parts)

    def handle(event: Event, context: LambdaContext) -> Response:
        """Return Lambda's partial batch response: the records to deliver again."""
        logger.append_keys(function_request_id=context.aws_request_id)
        records = event.get("Records")
        ends = now() + timedelta(milliseconds=context.get_remaining_time_in_millis()) - RESERVE
        batch = records if isinstance(records, list) else []
        recorded = runtime.run(record_changes(batch, queues, now(), telling, ends, stats, children))
        _report(logger, recorded)
        return {"batchItemFailures": [{"itemIdentifier": number} for number in recorded.failures]}

    return handle


def _report(logger: Logger, recorded: Recorded) -> None:
    logger.debug("wakes_sent", count=recorded.sent)
    if recorded.unsent:
        problem = recorded.unsent[0].problem
        logger.error("wakes_not_sent", count=len(recorded.unsent), reason=problem.reason, detail=problem.detail)
        _count("WakesNotSent", len(recorded.unsent))
    _report_telling(logger, recorded)
    _report_counting(logger, recorded.counted)
    _report_children(logger, recorded.children)
    for record in recorded.undecodable:
        logger.error(
            "record_undecodable", job_id=record.job_id, sequence_number=record.sequence_number, detail=record.detail
        )
    if recorded.undecodable:
        _count("UndecodableRecords", len(recorded.undecodable))


def _report_telling(logger: Logger, recorded: Recorded) -> None:
    told = recorded.told
    logger.debug("webhooks_submitted", count=told.made)
    if told.not_made:
        problem = told.not_made[0].problem
        logger.error("webhooks_not_submitted", count=len(told.not_made), reason=problem.reason, detail=problem.detail)
        _count("WebhooksNotSubmitted", len(told.not_made))
    for lost in told.lost:
        logger.error("webhook_lost", job_id=lost.job_id, detail=lost.detail)
    for newer in recorded.newer:
        logger.error("change_of_newer_version_not_told", job_id=newer.job_id, detail=newer.detail)
    if lost_count := len(told.lost) + len(recorded.newer):
        _count("WebhooksLost", lost_count)
    if recorded.unpublished:
        problem = recorded.unpublished[0].problem
        count = len(recorded.unpublished)
        logger.error("events_not_published", count=count, reason=problem.reason, detail=problem.detail)
        _count("EventsNotPublished", count)


def _report_counting(logger: Logger, counted: Counted) -> None:
    if counted.not_counted:
        problem, count = counted.not_counted[0].problem, sum(len(each.facts) for each in counted.not_counted)
        logger.error("statistics_not_counted", count=count, reason=problem.reason, detail=problem.detail)
        _count("StatisticsNotCounted", count)
    if counted.lost:
        count = sum(len(each.facts) for each in counted.lost)
        logger.error("statistics_lost", count=count, detail=counted.lost[0].detail)
        _count("StatisticsLost", count)
    if counted.not_summed:
        problem = counted.not_summed
        logger.warning("statistics_not_summed_up", reason=problem.reason, detail=problem.detail)


def _report_children(logger: Logger, children: Sequence[NotCounted]) -> None:
    lost = [each for each in children if each.is_lost]
    again = [each for each in children if not each.is_lost]
    if again:
        problem, count = again[0].problem, sum(len(each.jobs) for each in again)
        logger.error("children_not_counted", count=count, reason=problem.reason, detail=problem.detail)
        _count("ChildrenNotCounted", count)
    if lost:
        count, (job_id, _) = sum(len(each.jobs) for each in lost), lost[0].jobs[0]
        logger.error("children_lost", count=count, job_id=job_id, detail=lost[0].problem.detail)
        _count("ChildrenLost", count)


def _count(name: str, number: int) -> None:
    metrics = EphemeralMetrics()
    metrics.add_metric(name, MetricUnit.Count, number)
    metrics.flush_metrics()


handler = build(compose(os.environ))

# And it stays: later collections need not look at it.
gc.freeze()
gc.enable()
