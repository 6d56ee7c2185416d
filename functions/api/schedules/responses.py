"""Builds the responses of the schedule routes, and checks ids in their paths."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from domain.jobs.catalogue import Catalogue
from domain.schedules.repository import ScheduleNotFound
from domain.schedules.schedule import Schedule
from domain.schedules.service import ScheduleService
from functions.api.http.conditional import versioned
from functions.api.http.ids import is_id
from functions.api.http.problems import refuse
from functions.api.schedules.models import schedule_view


def schedule_response(
    schedule: Schedule, schedules: ScheduleService, catalogue: Catalogue, status: HTTPStatus, headers: Mapping[str, str]
) -> Response:
    """A schedule with its next ticks and its ETag."""
    view = schedule_view(schedule, schedules.upcoming(schedule), known=is_known(schedule, catalogue))
    return Response(view.model_dump_json(), status, versioned(schedule.version, dict(headers)), "application/json")


def is_known(schedule: Schedule, catalogue: Catalogue) -> bool:
    """Whether this version knows the schedule's job type."""
    return catalogue.definition(schedule.spec.type) is not None


def checked_id(schedule_id: str) -> str:
    """Refuse an id that cannot exist without a call to the database."""
    if not is_id(schedule_id):
        raise refuse(ScheduleNotFound(schedule_id=schedule_id))
    return schedule_id
