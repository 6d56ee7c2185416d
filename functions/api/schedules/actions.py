"""/v1/schedules/{id}/…: pause, resume, run now."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from domain.jobs.catalogue import Catalogue
from domain.jobs.disclosure import Disclosure
from domain.jobs.submitting import Submitted
from domain.schedules.schedule import Schedule
from domain.schedules.service import ScheduleService
from domain.users.user import User
from functions.api.http.conditional import expected_versions
from functions.api.http.identity import Identify
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse
from functions.api.jobs.models import JobView
from functions.api.jobs.responses import job_response
from functions.api.jobs.submission import check_key
from functions.api.schedules.models import ScheduleView
from functions.api.schedules.responses import checked_id, schedule_response


def add_actions(
    router: APIRouter, schedules: ScheduleService, catalogue: Catalogue, disclosure: Disclosure, identify: Identify
) -> None:
    """Add what can be done with a schedule that exists."""
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.post(
        "/v1/schedules/{schedule_id}/pause",
        responses={200: {"model": ScheduleView}, **problems(401, 403, 404, 412, 503)},
    )
    async def pause_schedule(
        schedule_id: str, caller: Caller, if_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """Pause a schedule: it makes no jobs, and the ticks that pass meanwhile are not made later."""
        changed = await schedules.pause(checked_id(schedule_id), expected_versions(if_match), caller)
        if not isinstance(changed, Schedule):
            raise refuse(changed)
        return schedule_response(changed, schedules, catalogue, HTTPStatus.OK, {})

    @router.post(
        "/v1/schedules/{schedule_id}/resume",
        responses={200: {"model": ScheduleView}, **problems(401, 403, 404, 412, 503)},
    )
    async def resume_schedule(
        schedule_id: str, caller: Caller, if_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """Resume a paused schedule: it ticks from the next time on, and its count of failures begins anew."""
        changed = await schedules.resume(checked_id(schedule_id), expected_versions(if_match), caller)
        if not isinstance(changed, Schedule):
            raise refuse(changed)
        return schedule_response(changed, schedules, catalogue, HTTPStatus.OK, {})

    @router.post(
        "/v1/schedules/{schedule_id}/run",
        status_code=202,
        responses={202: {"model": JobView}, **problems(401, 403, 404, 413, 422, 429, 503)},
    )
    async def run_schedule(
        schedule_id: str, caller: Caller, idempotency_key: Annotated[str | None, Header()] = None
    ) -> Response:
        """Submit the schedule's job now, also while it is paused. It is no tick: the schedule stays as it is."""
        check_key(idempotency_key)
        submitted = await schedules.run(checked_id(schedule_id), caller, idempotency_key)
        if not isinstance(submitted, Submitted):
            raise refuse(submitted)
        headers = {"idempotency-replayed": "true"} if submitted.replayed else {}
        return job_response(submitted.job, partial(disclosure.to, caller), HTTPStatus.ACCEPTED, headers)
