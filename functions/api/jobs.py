"""/v1/jobs: submit, read, list, cancel, retry."""

import asyncio
import re
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response

from domain.jobs.job import Job, Status, is_final
from domain.jobs.repository import JobFilter, JobNotFound
from domain.jobs.service import Flaw, InvalidPayload, JobService, Submission, Submitted
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.users.user import User
from functions.api.conditional import etag, is_unchanged
from functions.api.identity import Identify
from functions.api.json_body import StrictJsonRoute
from functions.api.models import JobPage, JobView, SubmitJob, job_view
from functions.api.openapi import problems
from functions.api.problems import Refused, problem, refuse

MAX_WAIT_SECONDS = 20
POLL_SECONDS = 0.25
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY = re.compile(r"[\x20-\x7e]{1,255}")
_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,4})")


def job_routes(jobs: JobService, identify: Identify) -> APIRouter:
    """The routes of jobs; every one of them needs a user."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["jobs"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.post(
        "/v1/jobs", status_code=202, responses={202: {"model": JobView}, **problems(400, 401, 403, 413, 415, 422, 503)}
    )
    async def submit_job(
        body: SubmitJob, caller: Caller, idempotency_key: Annotated[str | None, Header()] = None
    ) -> Response:
        """Accept a job. It is stored, and will be run, when this answers 202."""
        if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
            detail = "Idempotency-Key has 1 to 255 printable ASCII characters."
            raise Refused(problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_idempotency_key", detail))
        if body.run_at is not None and body.delay_seconds is not None:
            flaw = Flaw(path=("delay_seconds",), message="give run_at or delay_seconds, not both")
            raise refuse(InvalidPayload(flaws=(flaw,)))
        submission = Submission.model_construct(**dict(body))
        submitted = await jobs.submit(submission, caller, idempotency_key)
        if not isinstance(submitted, Submitted):
            raise refuse(submitted)
        headers = {"idempotency-replayed": "true"} if submitted.replayed else {}
        return _answer(submitted.job, HTTPStatus.ACCEPTED, headers)

    @router.get("/v1/jobs", responses={200: {"model": JobPage}, **problems(400, 401, 403, 422, 503)})
    async def list_jobs(
        caller: Caller,
        status: Annotated[Status | None, Query()] = None,
        type: Annotated[str | None, Query(max_length=64)] = None,
        owner: Annotated[str | None, Query(min_length=1, max_length=64, description="Admins only")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
    ) -> Response:
        """The caller's jobs, newest first; an admin may ask for another owner's."""
        if owner is not None and owner != caller.id and caller.role != "admin":
            # Answered as an owner without jobs, so that nothing is learnt of other tenants.
            return _page_answer(Page[Job](items=()), "")
        wanted = JobFilter(status=status, type=type)
        page = await jobs.list(owner or caller.id, wanted, PageRequest(limit=limit, cursor=cursor))
        if not isinstance(page, Page):
            raise refuse(page)
        query = {"status": status, "type": type, "owner": owner, "limit": limit, "cursor": page.next}
        return _page_answer(page, "&".join(f"{name}={value}" for name, value in query.items() if value is not None))

    @router.get(
        "/v1/jobs/{job_id}",
        responses={200: {"model": JobView}, 304: {"description": "Not changed"}, **problems(401, 403, 404, 503)},
    )
    async def get_job(
        job_id: str,
        caller: Caller,
        prefer: Annotated[str | None, Header(description="wait=N: answer when final, or after N s")] = None,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """A job. With `Prefer: wait=N` (at most 20) the answer comes when it is final, else after N s."""
        wait = _wait_seconds(prefer)
        job = await _read_until_final(jobs, job_id, caller, wait)
        headers = {"preference-applied": f"wait={wait}"} if wait else {}
        if is_unchanged(if_none_match, job.version):
            return Response(status_code=304, headers={"etag": etag(job.version), **headers})
        return _answer(job, HTTPStatus.OK, headers)

    @router.post(
        "/v1/jobs/{job_id}/cancel",
        responses={200: {"model": JobView}, 202: {"model": JobView}, **problems(401, 403, 404, 409, 503)},
    )
    async def cancel_job(job_id: str, caller: Caller) -> Response:
        """Cancel a job: 200 when it is final at once, 202 when a running one was asked to stop."""
        changed = await jobs.cancel(_checked(job_id), caller)
        if not isinstance(changed, Job):
            raise refuse(changed)
        return _answer(changed, HTTPStatus.OK if is_final(changed) else HTTPStatus.ACCEPTED, {})

    @router.post(
        "/v1/jobs/{job_id}/retry",
        status_code=202,
        responses={202: {"model": JobView}, **problems(401, 403, 404, 409, 503)},
    )
    async def retry_job(job_id: str, caller: Caller) -> Response:
        """Queue a failed or cancelled job again, with all its attempts."""
        changed = await jobs.retry(_checked(job_id), caller)
        if not isinstance(changed, Job):
            raise refuse(changed)
        return _answer(changed, HTTPStatus.ACCEPTED, {})

    return router


async def _read_until_final(jobs: JobService, job_id: str, caller: User, wait: int) -> Job:
    """The job as it is, or as it becomes within `wait` seconds."""
    ends = asyncio.get_running_loop().time() + wait
    while True:
        found = await jobs.get(_checked(job_id), caller)
        if not isinstance(found, Job):
            raise refuse(found)
        left = ends - asyncio.get_running_loop().time()
        if is_final(found) or left <= 0:
            return found
        await asyncio.sleep(min(POLL_SECONDS, left))


def _answer(job: Job, status: HTTPStatus, headers: dict[str, str]) -> Response:
    view = job_view(job)
    location = {"location": view.links["self"]} if status == HTTPStatus.ACCEPTED else {}
    return Response(
        view.model_dump_json(),
        status,
        {"etag": etag(job.version), "cache-control": "no-store", **location, **headers},
        "application/json",
    )


def _page_answer(page: Page[Job], next_query: str) -> Response:
    body = JobPage(items=[job_view(job) for job in page.items], next=page.next)
    link = {"link": f'</v1/jobs?{next_query}>; rel="next"'} if page.next else {}
    return Response(body.model_dump_json(), 200, {"cache-control": "no-store", **link}, "application/json")


def _checked(job_id: str) -> str:
    """Ids have one form; anything else is the id of no job, and costs no read."""
    if not _ID.fullmatch(job_id):
        raise refuse(JobNotFound(job_id=job_id))
    return job_id


def _wait_seconds(prefer: str | None) -> int:
    """RFC 7240; a preference that is not understood is ignored."""
    found = _WAIT.search(prefer or "")
    return min(int(found.group(1)), MAX_WAIT_SECONDS) if found else 0
