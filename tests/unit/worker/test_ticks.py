"""What the worker makes of messages about schedules, and what it logs."""

import io
import json
from datetime import timedelta

from aws_lambda_powertools import Logger

from domain.jobs.wake_queue import Wake
from domain.schedules.schedule import Problem
from domain.schedules.tick_outcomes import (
    Dropped,
    Made,
    NothingDue,
    NotTicked,
    PausedItself,
    Refused,
    Skipped,
    TickOutcome,
)
from domain.schedules.tick_queue import TickWake
from functions.worker.ticks import log_outcomes, run_ticks, split
from persistence.sqs.wake_messages import body_of
from tests.conftest import new_id
from tests.factories import NOW
from tests.fakes.faulty_job_repository import OUTAGE
from tests.schedules import a_schedule
from tests.unit.schedules.conftest import OWNER, World

PROBLEM = Problem(code="invalid_payload", message="no", at=NOW)


def a_logger() -> tuple[Logger, io.StringIO]:
    stream = io.StringIO()
    return Logger(f"test-{new_id()}", stream=stream, level="DEBUG"), stream


def test_messages_about_schedules_are_told_from_those_about_jobs() -> None:
    tick = TickWake(schedule_id="1", due=NOW)
    job = {"messageId": "2", "body": body_of(Wake(job_id="1", due=NOW))}
    ticks, others = split([{"messageId": "1", "body": tick.model_dump_json()}, job, "rubbish", {"body": 7}])
    assert ticks == (tick,)
    assert others == [job, "rubbish", {"body": 7}]


async def test_each_schedule_is_ticked_once_and_a_crash_of_one_stops_no_other() -> None:
    world = World()
    await world.users.add(OWNER)
    schedule = await world.add(a_schedule())
    world.clock.forward(timedelta(minutes=1))
    ticker, logger = world.ticker(), a_logger()
    wakes = [TickWake(schedule_id=schedule.id, due=NOW), TickWake(schedule_id=schedule.id, due=NOW)]

    class Crashing(type(ticker)):  # type: ignore[misc]
        async def tick(self, wake: TickWake) -> tuple[TickOutcome, ...]:
            if wake.schedule_id == "broken":
                raise ValueError("a secret")
            return await ticker.tick(wake)

    crashing = Crashing.__new__(Crashing)
    await run_ticks(crashing, [TickWake(schedule_id="broken", due=NOW), *wakes], logger[0])
    assert len(world.ids()) == 1
    lines = [json.loads(line) for line in logger[1].getvalue().splitlines()]
    assert sorted(line["message"] for line in lines) == ["schedule_crashed", "schedule_ticked"]
    assert "secret" not in logger[1].getvalue()


def test_every_outcome_is_a_line() -> None:
    logger, stream = a_logger()
    outcomes = (
        Made(at=NOW, job_id="j", late=timedelta(seconds=1.5)), Skipped(at=NOW), Dropped(count=3),
        Refused(problem=PROBLEM), PausedItself(failures=2), NotTicked(problem=OUTAGE), NothingDue(why="early"),
    )  # fmt: skip
    log_outcomes(logger, "s", outcomes)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["level"], line["message"]) for line in lines] == [
        ("INFO", "schedule_ticked"), ("INFO", "schedule_skipped"), ("WARNING", "schedule_dropped"),
        ("WARNING", "schedule_refused"), ("WARNING", "schedule_paused"), ("ERROR", "schedule_not_ticked"),
        ("DEBUG", "schedule_not_due"),
    ]  # fmt: skip
    assert lines[0]["late_ms"] == 1500
    assert {line["schedule_id"] for line in lines} == {"s"}
