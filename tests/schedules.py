"""Schedules for tests: valid by construction; a test passes by name what matters to it."""

from datetime import datetime
from typing import TypedDict

from typing_extensions import Unpack

from domain.schedules.schedule import Missed, Overlap, Schedule, ScheduleSpec, new_schedule
from domain.schedules.timing import Timing
from headrace.authoring.json_text import JsonText
from tests.conftest import new_id
from tests.factories import NOW

MINUTELY = Timing(every_seconds=60)


class Spec(TypedDict, total=False):
    """What a test may say of a schedule."""

    name: str
    timing: Timing
    type: str
    payload: JsonText
    tags: dict[str, str]
    max_attempts: int
    overlap: Overlap
    missed: Missed
    pause_after_failures: int


def a_spec(**fields: Unpack[Spec]) -> ScheduleSpec:
    plain: Spec = {
        "name": "nightly",
        "timing": MINUTELY,
        "type": "text.word_count",
        "payload": JsonText('{"text":"a b"}'),
    }
    return ScheduleSpec(**{**plain, **fields})


def a_schedule(now: datetime = NOW, owner_id: str = "owner-1", **fields: Unpack[Spec]) -> Schedule:
    return new_schedule(new_id(), owner_id, a_spec(**fields), now)
