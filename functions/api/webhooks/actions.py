"""What is done with a webhook: rotate, test, deliveries, replay; and /v1/notify-secret, of a user's own `notify`."""

from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from domain.jobs.disclosure import Disclosure
from domain.jobs.filtering import JobFilter
from domain.jobs.job import Job, Status
from domain.jobs.listing import JobListService
from domain.jobs.own_types import WEBHOOK_DELIVER
from domain.jobs.repository import JobNotFound
from domain.paging import MAX_PAGE, Page, PageRequest
from domain.users.user import User
from domain.webhooks.service import WebhookService
from domain.webhooks.signing import MAX_OVERLAP, OVERLAP, Signer
from functions.api.http.identity import Identify, only_admins
from functions.api.http.ids import is_id
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse
from functions.api.jobs.models import JobPage, JobView
from functions.api.jobs.responses import IncludeParameter, documents_of, job_response, page_response
from functions.api.webhooks.models import SecretView, checked_id, secret_view

Overlap = Annotated[
    int,
    Query(
        ge=0,
        le=int(MAX_OVERLAP.total_seconds()),
        description="Seconds for which the previous secret stays valid; 0 for one that others have seen",
    ),
]
_DAY = int(OVERLAP.total_seconds())


def webhook_actions(
    webhooks: WebhookService, lists: JobListService, disclosure: Disclosure, identify: Identify
) -> APIRouter:
    """The routes of actions; all but the secret of `notify` are for admins."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["webhooks"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.post("/v1/webhooks/{webhook_id}/rotate", responses=problems(401, 403, 404, 422, 503))
    async def rotate_webhook_secret(
        webhook_id: str, caller: Caller, response: Response, overlap_seconds: Overlap = _DAY
    ) -> SecretView:
        """Give an endpoint a new secret, which is shown this once; the previous one stays valid for a while."""
        only_admins(caller)
        signer = await webhooks.rotate(checked_id(webhook_id), timedelta(seconds=overlap_seconds))
        if not isinstance(signer, Signer):
            raise refuse(signer)
        response.headers["cache-control"] = "no-store"
        return secret_view(signer)

    @router.post(
        "/v1/webhooks/{webhook_id}/test",
        status_code=202,
        responses={202: {"model": JobView}, **problems(401, 403, 404, 503)},
    )
    async def test_webhook(webhook_id: str, caller: Caller) -> Response:
        """Send an endpoint an event of the type webhook.test. The response is the delivery, a job."""
        only_admins(caller)
        delivery = await webhooks.test(checked_id(webhook_id))
        if not isinstance(delivery, Job):
            raise refuse(delivery)
        return job_response(delivery, partial(disclosure.to, caller), HTTPStatus.ACCEPTED, {})

    @router.get(
        "/v1/webhooks/{webhook_id}/deliveries",
        responses={200: {"model": JobPage}, **problems(400, 401, 403, 404, 422, 503)},
    )
    async def list_deliveries(
        webhook_id: str,
        caller: Caller,
        status: Annotated[Status | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
        cursor: Annotated[str | None, Query(max_length=2048)] = None,
        include: IncludeParameter = None,
    ) -> Response:
        """List an endpoint's deliveries, newest first, also of one that was deleted.

        Each is a job; its payload has the body that is sent.
        """
        only_admins(caller)
        criteria = JobFilter(statuses=() if status is None else (status,), types=(WEBHOOK_DELIVER,))
        documents = documents_of(include)
        page = await lists.list(checked_id(webhook_id), criteria, PageRequest(limit=limit, cursor=cursor), documents)
        if not isinstance(page, Page):
            raise refuse(page)
        query = {"status": status, "limit": limit, "include": include}
        path = f"/v1/webhooks/{webhook_id}/deliveries"
        return page_response(page, partial(disclosure.to, caller), documents, path, query)

    @router.post(
        "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
        status_code=202,
        responses={202: {"model": JobView}, **problems(401, 403, 404, 409, 503)},
    )
    async def replay_delivery(webhook_id: str, delivery_id: str, caller: Caller) -> Response:
        """Deliver again what has ended, with the same webhook-id and body, as a new job."""
        only_admins(caller)
        if not is_id(delivery_id):
            raise refuse(JobNotFound(job_id=delivery_id))
        delivery = await webhooks.replay(checked_id(webhook_id), delivery_id)
        if not isinstance(delivery, Job):
            raise refuse(delivery)
        return job_response(delivery, partial(disclosure.to, caller), HTTPStatus.ACCEPTED, {})

    @router.post("/v1/notify-secret", responses=problems(401, 403, 422, 503))
    async def rotate_notify_secret(caller: Caller, response: Response, overlap_seconds: Overlap = _DAY) -> SecretView:
        """Make the secret that signs what your jobs' notify asks for, or a new one. It is shown this once."""
        signer = await webhooks.rotate_own(caller.id, timedelta(seconds=overlap_seconds))
        if not isinstance(signer, Signer):
            raise refuse(signer)
        response.headers["cache-control"] = "no-store"
        return secret_view(signer)

    return router
