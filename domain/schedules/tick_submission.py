"""What a tick, or a run by hand, submits."""

from datetime import datetime

from domain.jobs.submission import Submission
from domain.schedules.schedule import SCHEDULE_TAG, TICK_TAG, Schedule
from headrace.authoring.json_text import from_json_text


def tick_key(schedule_id: str, at: datetime) -> str:
    """The idempotency key of a tick's job. A client's has no line feed, so that none equals it."""
    return f"schedule\n{schedule_id}\n{at.isoformat()}"


def submission_of(schedule: Schedule, at: datetime | None) -> Submission:
    """What a tick submits; without `at`, what a run by hand does."""
    spec = schedule.spec
    tick = {} if at is None else {TICK_TAG: at.isoformat().replace("+00:00", "Z")}
    return Submission(
        type=spec.type,
        payload=from_json_text(spec.payload),
        max_attempts=spec.max_attempts,
        tags={**spec.tags, SCHEDULE_TAG: schedule.id, **tick},
    )
