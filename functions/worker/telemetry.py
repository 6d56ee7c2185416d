"""What the worker tells of its work: one log line and one set of metrics for each attempt."""

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from domain.jobs.execution import Executed, Execution, Interrupted, LeaseLost, NothingToDo, NotStarted
from events.stream import Undecodable


def report_execution(logger: Logger, execution: Execution) -> None:
    """Log an execution; for an attempt that ran, also its metrics by job type and outcome."""
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
            _count_attempt(execution)
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


def _count_attempt(execution: Executed) -> None:
    metrics = EphemeralMetrics()
    metrics.add_dimension("job_type", execution.job.type)
    metrics.add_dimension("outcome", execution.outcome)
    metrics.add_metric("Attempts", MetricUnit.Count, 1)
    metrics.add_metric("WaitingTime", MetricUnit.Milliseconds, execution.waited.total_seconds() * 1000)
    metrics.add_metric("RunningTime", MetricUnit.Milliseconds, execution.ran.total_seconds() * 1000)
    metrics.flush_metrics()


def _count(name: str) -> None:
    metrics = EphemeralMetrics()
    metrics.add_metric(name, MetricUnit.Count, 1)
    metrics.flush_metrics()
