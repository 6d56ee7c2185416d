"""Makes the jobs of the schedules that a batch of the wake queue's messages names."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from domain.schedules.tick_queue import TickWake
from persistence.sqs.tick_queue import tick_of

if TYPE_CHECKING:
    from domain.schedules.tick_outcomes import (
        TickOutcome,
    )
    from domain.schedules.ticking import (
        Ticker,
    )


def split(records: Sequence[object]) -> tuple[tuple[TickWake, ...], list[object]]:
    """The messages about schedules, and the other records."""
    read = [(record, tick_of(record.get("body")) if isinstance(record, Mapping) else None) for record in records]
    return tuple(tick for _, tick in read if tick is not None), [record for record, tick in read if tick is None]


async def run_ticks(ticker: "Ticker", ticks: Sequence[TickWake], logger: Logger) -> None:
    """Do what is due of each schedule, all at once. Never raises for one.

    No message is handed back: it would come again after the visibility timeout, and the next sweep sends another
    within a minute.
    """
    latest = {tick.schedule_id: tick for tick in sorted(ticks, key=lambda tick: tick.due, reverse=True)}
    done = await asyncio.gather(*(ticker.tick(tick) for tick in latest.values()), return_exceptions=True)
    for tick, outcomes in zip(latest.values(), done, strict=True):
        if isinstance(outcomes, BaseException):
            # A bug in Headrace ended it. Without the message, which may quote a payload.
            logger.error("schedule_crashed", schedule_id=tick.schedule_id, error=type(outcomes).__name__)
        else:
            log_outcomes(logger, tick.schedule_id, outcomes)


def log_outcomes(logger: Logger, schedule_id: str, outcomes: "Sequence[TickOutcome]") -> None:
    """A line for each tick that made a job or should have, and for what stops the schedule."""
    from domain.schedules import tick_outcomes  # noqa: PLC0415 - the worker's cold start does not pay for it

    for outcome in outcomes:
        match outcome:
            case tick_outcomes.Made(at=at, job_id=job_id, late=late):
                late_ms = round(late.total_seconds() * 1000)
                logger.info(
                    "schedule_ticked", schedule_id=schedule_id, job_id=job_id, tick=at.isoformat(), late_ms=late_ms
                )
            case tick_outcomes.Skipped(at=at):
                logger.info("schedule_skipped", schedule_id=schedule_id, tick=at.isoformat())
            case tick_outcomes.Dropped(count=count):
                logger.warning("schedule_dropped", schedule_id=schedule_id, count=count)
            case tick_outcomes.Refused(problem=problem):
                code, said = problem.code, problem.message
                logger.warning(
                    "schedule_refused", schedule_id=schedule_id, tick=problem.at.isoformat(), code=code, detail=said
                )
            case tick_outcomes.PausedItself(failures=failures):
                logger.warning("schedule_paused", schedule_id=schedule_id, failures=failures)
            case tick_outcomes.NotTicked(problem=failed):
                reason, detail = failed.reason, failed.detail
                logger.error("schedule_not_ticked", schedule_id=schedule_id, reason=reason, detail=detail)
            case tick_outcomes.NothingDue(why=why):
                logger.debug("schedule_not_due", schedule_id=schedule_id, why=why)
