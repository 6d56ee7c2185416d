"""/v1/jobs: submit, read, list, cancel, retry."""

import asyncio
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import JsonValue

from domain.jobs.disclosure import Disclosure
from domain.jobs.documents import DocumentLost, Documents, NoSuchDocument
from domain.jobs.filtering import JobFilter
from domain.jobs.job import Job, is_final
from domain.jobs.listing import Document, JobListService
from domain.jobs.repository import JobNotFound
from domain.jobs.service import JobService
from domain.jobs.submitting import InvalidPayload, SubmissionService, Submitted
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.results import StorageUnavailable
from domain.users.service import NotAllowed
from domain.users.user import User
from functions.api.children.counts import CountsOf, groups_of
from functions.api.children.views import GroupView
from functions.api.http.conditional import expected_versions, is_unchanged, not_modified
from functions.api.http.identity import Identify
from functions.api.http.ids import is_id
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import JOB_LINKS, problems
from functions.api.http.problems import refuse
from functions.api.jobs.filters import filter_of_query, query_of
from functions.api.jobs.models import JobPage, JobView, SubmitJob
from functions.api.jobs.responses import IncludeParameter, document_response, documents_of, job_response, page_response
from functions.api.jobs.submission import BatchResponse, SubmitBatch, check_key, submission_of, submit_entries
from functions.api.jobs.waiting import LONGEST_WAIT, next_pause, wait_seconds

DOCUMENT: Final[dict[int | str, dict[str, JsonValue]]] = {
    200: {"description": "The document", "content": {"application/json": {"schema": {}}}},
    307: {"description": "A link to the document", "headers": {"location": {"schema": {"type": "string"}}}},
    **problems(401, 403, 404, 410, 503),
}
"""The responses of the routes that give one document."""
TRACE: Final = "The trace that the jobs are part of (W3C Trace Context); ignored if it is invalid"
EVERYONE: Final = "*"
OwnerHeader = Annotated[str | None, Header(include_in_schema=False)]
"""Names another owner than the caller, who is identified by it; OpenAPI has it from there."""
OWNER: Final = "Another user's id, or * for all users; admins only"


def job_routes(
    submissions: SubmissionService,
    jobs: JobService,
    lists: JobListService,
    documents: Documents,
    disclosure: Disclosure,
    identify: Identify,
    counts: CountsOf,
    longest_wait: timedelta = LONGEST_WAIT,
) -> APIRouter:
    """The job routes; all require a user. `longest_wait` limits how long a read may wait; zero disables waiting."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["jobs"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.post(
        "/v1/jobs",
        status_code=202,
        responses={202: {"model": JobView, "links": JOB_LINKS}, **problems(400, 401, 403, 413, 415, 422, 429, 503)},
    )
    async def submit_job(
        body: SubmitJob,
        caller: Caller,
        idempotency_key: Annotated[str | None, Header()] = None,
        traceparent: Annotated[str | None, Header(description=TRACE)] = None,
        headrace_owner: OwnerHeader = None,
    ) -> Response:
        """Submit a job. After a 202 response it is stored and will be run."""
        check_key(idempotency_key)
        submission = submission_of(body, traceparent, on_behalf=headrace_owner is not None)
        if isinstance(submission, InvalidPayload):
            raise refuse(submission)
        submitted = await submissions.submit(submission, caller, idempotency_key)
        if not isinstance(submitted, Submitted):
            raise refuse(submitted)
        headers = {"idempotency-replayed": "true"} if submitted.replayed else {}
        return job_response(submitted.job, partial(disclosure.to, caller), HTTPStatus.ACCEPTED, headers)

    @router.post(
        "/v1/jobs/batch",
        status_code=207,
        responses={207: {"model": BatchResponse}, **problems(400, 401, 403, 413, 415, 422)},
    )
    async def submit_batch(
        body: SubmitBatch,
        caller: Caller,
        idempotency_key: Annotated[str | None, Header()] = None,
        traceparent: Annotated[str | None, Header(description=TRACE)] = None,
        headrace_owner: OwnerHeader = None,
    ) -> BatchResponse:
        """Submit up to 25 jobs, each independently: an invalid entry does not stop the others."""
        check_key(idempotency_key)
        return BatchResponse(
            results=await submit_entries(
                submissions, disclosure, body.jobs, caller, idempotency_key, traceparent,
                on_behalf=headrace_owner is not None,
            )
        )  # fmt: skip

    @router.get("/v1/jobs", responses={200: {"model": JobPage}, **problems(400, 401, 403, 422, 503)})
    async def list_jobs(
        caller: Caller,
        criteria: Annotated[JobFilter, Depends(filter_of_query)],
        owner: Annotated[str | None, Query(min_length=1, max_length=64, description=OWNER)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
        include: IncludeParameter = None,
    ) -> Response:
        """List the caller's jobs, newest first; an admin may list another owner's, or with `owner=*` everyone's.

        Payload and result are left out unless `include` names them; `preview` is how the payload begins. A page may be
        shorter than `limit` and still have a `next`. Of failed and cancelled jobs alone, the one that ended last comes
        first. `owner=*` lists unfinished jobs, the next due first, or with `status=failed` and one `type` the failed
        jobs of that type.
        """
        if owner is not None and owner != caller.id and caller.role != "admin":
            raise refuse(NotAllowed(reason="only an admin may list another owner's jobs"))
        request, included = PageRequest(limit=limit, cursor=cursor), documents_of(include)
        if owner == EVERYONE:
            page = await lists.list_all(criteria, request, included)
        else:
            page = await lists.list(owner or caller.id, criteria, request, included)
        if not isinstance(page, Page):
            raise refuse(page)
        query = {**query_of(criteria), "owner": owner, "limit": limit, "include": include}
        return page_response(page, partial(disclosure.to, caller), included, "/v1/jobs", query)

    @router.get(
        "/v1/jobs/{job_id}",
        responses={200: {"model": JobView}, 304: {"description": "Not changed"}, **problems(401, 403, 404, 503)},
    )
    async def get_job(
        job_id: str,
        caller: Caller,
        prefer: Annotated[str | None, Header(description="wait=N: respond when the job is final, or after N s")] = None,
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Get a job. With `Prefer: wait=N` the response is sent when the job is final, or after N seconds.

        `Preference-Applied` reports the seconds that apply: at most 20, unless the deployment has another limit.
        While it has children that have not ended, the response is never 304: their counts change without the job.
        """
        wait = wait_seconds(prefer, longest_wait)
        job = await _read_until_final(jobs, job_id, caller, wait)
        groups = await _groups(job, counts)
        headers = {"preference-applied": f"wait={wait}"} if wait else {}
        if is_unchanged(if_none_match, job.version) and all(group.ended == group.size for group in groups):
            return not_modified(job.version, headers)
        return job_response(
            job, partial(disclosure.to, caller), HTTPStatus.OK, headers, await documents.for_answer(job), groups
        )

    @router.get("/v1/jobs/{job_id}/payload", status_code=307, responses=DOCUMENT)
    async def get_payload(job_id: str, caller: Caller) -> Response:
        """Get a payload, however large: a redirect to a link that expires, or the payload itself if it is small."""
        return await _document(jobs, documents, job_id, caller, "payload")

    @router.get("/v1/jobs/{job_id}/result", status_code=307, responses=DOCUMENT)
    async def get_result(job_id: str, caller: Caller) -> Response:
        """Get a result, however large: a redirect to a link that expires, or the result itself if it is small."""
        return await _document(jobs, documents, job_id, caller, "result")

    @router.post(
        "/v1/jobs/{job_id}/cancel",
        responses={200: {"model": JobView}, 202: {"model": JobView}, **problems(401, 403, 404, 409, 412, 503)},
    )
    async def cancel_job(job_id: str, caller: Caller, if_match: Annotated[str | None, Header()] = None) -> Response:
        """Cancel a job: 200 when it is cancelled at once, 202 when it is running and has been asked to stop."""
        changed = await jobs.cancel(_checked(job_id), caller, expected_versions(if_match))
        if not isinstance(changed, Job):
            raise refuse(changed)
        return job_response(
            changed, partial(disclosure.to, caller), HTTPStatus.OK if is_final(changed) else HTTPStatus.ACCEPTED, {}
        )

    @router.post(
        "/v1/jobs/{job_id}/retry",
        status_code=202,
        responses={202: {"model": JobView}, **problems(401, 403, 404, 409, 412, 503)},
    )
    async def retry_job(job_id: str, caller: Caller, if_match: Annotated[str | None, Header()] = None) -> Response:
        """Queue a failed or cancelled job again, with its full number of attempts."""
        changed = await jobs.retry(_checked(job_id), caller, expected_versions(if_match))
        if not isinstance(changed, Job):
            raise refuse(changed)
        return job_response(changed, partial(disclosure.to, caller), HTTPStatus.ACCEPTED, {})

    return router


async def _read_until_final(jobs: JobService, job_id: str, caller: User, wait: int) -> Job:
    """Read the job until it is final, for at most `wait` seconds."""
    clock = asyncio.get_running_loop().time
    began = clock()
    while True:
        found = await _read(jobs, job_id, caller)
        pause = next_pause(clock() - began, wait)
        if pause is None or is_final(found):
            return found
        await asyncio.sleep(pause)


async def _groups(job: Job, counts: CountsOf) -> list[GroupView]:
    found = await groups_of(job, counts)
    if isinstance(found, StorageUnavailable):
        raise refuse(found)
    return found


async def _document(jobs: JobService, documents: Documents, job_id: str, caller: User, name: Document) -> Response:
    found = await documents.link(await _read(jobs, job_id, caller), name)
    if isinstance(found, DocumentLost | NoSuchDocument | StorageUnavailable):
        raise refuse(found)
    return document_response(found)


async def _read(jobs: JobService, job_id: str, caller: User) -> Job:
    found = await jobs.get(_checked(job_id), caller)
    if not isinstance(found, Job):
        raise refuse(found)
    return found


def _checked(job_id: str) -> str:
    if not is_id(job_id):
        raise refuse(JobNotFound(job_id=job_id))
    return job_id
