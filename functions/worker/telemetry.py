"""What the worker tells of its work: a log line for each attempt, a set of metrics for all of a kind in a batch."""

from collections.abc import Sequence
from itertools import groupby

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from domain.jobs.execution import Executed, Execution, Interrupted, LeaseLost, NothingToDo, NotStarted
from events.stream import Undecodable


def report_executions(logger: Logger, executions: Sequence[Execution]) -> None:
    """Log each execution; for the attempts that ran, also their metrics by job type and outcome."""
    for execution in executions:
        _log(logger, execution)
    executed = sorted((each for each in executions if isinstance(each, Executed)), key=_kind)
    for (job_type, outcome), attempts in groupby(executed, _kind):
        _count_attempts(job_type, outcome, tuple(attempts))


def _kind(execution: Executed) -> tuple[str, str]:
    return execution.job.type, execution.outcome


def _log(logger: Logger, execution: Execution) -> None:
    match execution:
        case Executed(job=job):
            logger.info(
                "job_attempt_finished",
                job_id=job.id,
                job_type=job.type,
                attempt=job.attempt,
                outcome=execution.outcome,
                error_code=execution.error_code,
                waited_ms=round(execution.waited.total_seconds() * 1000),
                ran_ms=round(execution.ran.total_seconds() * 1000),
            )
        case NothingToDo(job_id=job_id, why=why):
            logger.info("job_not_claimed", job_id=job_id, why=why)
        case LeaseLost(job_id=job_id, attempt=attempt):
            logger.warning("job_lease_lost", job_id=job_id, attempt=attempt)
            _count("LeasesLost")
        case NotStarted(job_id=job_id):
            logger.warning("job_handed_back", job_id=job_id)
        case Interrupted(job_id=job_id, stage=stage, problem=problem):
            logger.error("job_interrupted", job_id=job_id, stage=stage, reason=problem.reason, detail=problem.detail)
            _count("StorageInterruptions")


def report_undecodable(logger: Logger, record: Undecodable) -> None:
    """A poison record: named by where it stands in the stream, never by what it holds."""
    logger.error(
        "record_undecodable",
        job_id=record.job_id,
        sequence_number=record.sequence_number,
        event_id=record.event_id,
        detail=record.detail,
    )
    _count("UndecodableRecords")


def _count_attempts(job_type: str, outcome: str, attempts: Sequence[Executed]) -> None:
    metrics = EphemeralMetrics()
    metrics.add_dimension("job_type", job_type)
    metrics.add_dimension("outcome", outcome)
    metrics.add_metric("Attempts", MetricUnit.Count, len(attempts))
    for each in attempts:
        metrics.add_metric("WaitingTime", MetricUnit.Milliseconds, each.waited.total_seconds() * 1000)
        metrics.add_metric("RunningTime", MetricUnit.Milliseconds, each.ran.total_seconds() * 1000)
    metrics.flush_metrics()


def _count(name: str) -> None:
    metrics = EphemeralMetrics()
    metrics.add_metric(name, MetricUnit.Count, 1)
    metrics.flush_metrics()
