"""Logs and metrics of the worker: a line for each attempt, metrics for each job type and outcome in a batch."""

from collections.abc import Sequence
from itertools import groupby

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from domain.jobs.execution_results import (
    Dispatched,
    Executed,
    Execution,
    Interrupted,
    LeaseLost,
    NothingToDo,
    NotStarted,
    UnknownJobType,
)
from domain.jobs.job import Failed, Retrying
from functions.attempts.current_attempt import trace_keys
from functions.attempts.loop_watch import Blocked
from functions.attempts.running import Crashed
from functions.runtime import peak_memory_mb
from persistence.dynamodb.stream_records import Undecodable
from persistence.sqs.wake_messages import UndecodableMessage

_UNSUCCESSFUL = frozenset({"retrying", "failed"})


def count_executions(executions: Sequence[Execution | Crashed], version: str) -> None:
    """Emit the metrics of the attempts that ran: by job type and outcome, and of all.

    `version` is the function's.
    """
    executed = sorted((each for each in executions if isinstance(each, Executed)), key=_kind)
    for (job_type, outcome), attempts in groupby(executed, _kind):
        _count_attempts(job_type, outcome, tuple(attempts))
    if executed:
        failed = sum(each.outcome in _UNSUCCESSFUL for each in executed)
        _count_for_the_alarms(len(executed), failed, version)


def report_blocked(logger: Logger, blocked: Blocked, seconds: float | None) -> None:
    """Report the handler that blocks the event loop, by job and frame; then for how long it did."""
    if seconds is None:
        logger.warning("event_loop_blocked", job_id=blocked.job_id, frame=blocked.frame)
        _count("EventLoopBlocked")
    else:
        logger.warning("event_loop_released", job_id=blocked.job_id, frame=blocked.frame, seconds=seconds)


def _kind(execution: Executed) -> tuple[str, str]:
    return execution.job.type, execution.outcome


def log_execution(logger: Logger, execution: Execution | Crashed) -> None:
    """Log what became of one job; what should not happen is also counted."""
    match execution:
        case Executed(job=job):
            error = job.state.error if isinstance(job.state, Retrying | Failed) else None
            frames = error.frames if error else ()
            logger.info(
                "job_attempt_finished",
                job_id=job.id,
                job_type=job.type,
                attempt=job.attempt,
                outcome=execution.outcome,
                error_code=execution.error_code,
                error_message=error.message if error else None,
                error_frames=[f"{frame.file}:{frame.line} {frame.function}" for frame in frames] or None,
                max_attempts=job.max_attempts,
                retry_at=job.state.retry_at.isoformat() if isinstance(job.state, Retrying) else None,
                failure_reason=job.state.reason if isinstance(job.state, Failed) else None,
                waited_ms=round(execution.waited.total_seconds() * 1000),
                ran_ms=round(execution.ran.total_seconds() * 1000),
                memory_mb=peak_memory_mb(),
                extra=trace_keys(job),
            )
        case Dispatched(job_id=job_id, runner=runner):
            logger.debug("job_dispatched", job_id=job_id, runner=runner)
        case NothingToDo(job_id=job_id, why=why):
            logger.info("job_not_claimed", job_id=job_id, why=why)
        case UnknownJobType(job_id=job_id, type=job_type, why=why):
            logger.warning("job_type_unknown", job_id=job_id, job_type=job_type, why=why)
            _count("UnknownJobTypes")
        case Crashed(job_id=job_id, error=error, frames=frames):
            logger.error("job_crashed", job_id=job_id, error=error, frames=frames)
            _count("JobsCrashed")
        case LeaseLost(job_id=job_id, attempt=attempt):
            logger.warning("job_lease_lost", job_id=job_id, attempt=attempt)
            _count("LeasesLost")
        case NotStarted(job_id=job_id):
            logger.warning("job_handed_back", job_id=job_id)
        case Interrupted(job_id=job_id, stage=stage, problem=problem):
            logger.error("job_interrupted", job_id=job_id, stage=stage, reason=problem.reason, detail=problem.detail)
            _count("StorageInterruptions")


def report_undecodable(logger: Logger, record: Undecodable) -> None:
    """Report a poison record by its position in the stream, never by its content."""
    logger.error(
        "record_undecodable",
        job_id=record.job_id,
        sequence_number=record.sequence_number,
        event_id=record.event_id,
        detail=record.detail,
    )
    _count("UndecodableRecords")


def report_undecodable_message(logger: Logger, message: UndecodableMessage) -> None:
    """Report a message that is not one of ours by its id, never by its content."""
    logger.error("message_undecodable", message_id=message.message_id, detail=message.detail)
    _count("UndecodableMessages")


def _count_for_the_alarms(ended: int, failed: int, version: str) -> None:
    """For `FailedAttemptsAlarm` and `VersionFailedAttemptsAlarm`: no alarm can look at every job type."""
    metrics = EphemeralMetrics()
    metrics.add_dimensions(service=metrics.service, version=version)  # besides those of the service alone
    metrics.add_metric("AttemptsEnded", MetricUnit.Count, ended)
    metrics.add_metric("AttemptsFailed", MetricUnit.Count, failed)
    metrics.flush_metrics()


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
