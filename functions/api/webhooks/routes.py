"""/v1/webhooks: the endpoints that admins keep."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from domain.users.user import User
from domain.webhooks.endpoint import Endpoint, EndpointWishes
from domain.webhooks.service import Created, WebhookService
from functions.api.http.conditional import expected_versions, is_unchanged, not_modified, versioned
from functions.api.http.identity import Identify, only_admins
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse
from functions.api.webhooks.models import (
    ChangeWebhook,
    CreateWebhook,
    NewWebhookView,
    WebhookList,
    WebhookView,
    changed,
    checked_id,
    new_webhook_view,
    webhook_view,
    wishes_of,
)


def webhook_routes(webhooks: WebhookService, identify: Identify) -> APIRouter:
    """The routes of endpoints, for admins."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["webhooks"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.post(
        "/v1/webhooks",
        status_code=201,
        responses={201: {"model": NewWebhookView}, **problems(400, 401, 403, 409, 413, 415, 422, 503)},
    )
    async def create_webhook(body: CreateWebhook, caller: Caller) -> Response:
        """Add an endpoint that is told of jobs' changes from now on. The response has its secret, this once."""
        only_admins(caller)
        created = await webhooks.create(wishes_of(body))
        if not isinstance(created, Created):
            raise refuse(created)
        view = new_webhook_view(created)
        headers = versioned(created.endpoint.version, {"location": view.links["self"]})
        return Response(view.model_dump_json(), HTTPStatus.CREATED, headers, "application/json")

    @router.get("/v1/webhooks", responses=problems(401, 403, 503))
    async def list_webhooks(caller: Caller) -> WebhookList:
        """List the endpoints, without their secrets."""
        only_admins(caller)
        found = await webhooks.all()
        if not isinstance(found, tuple):
            raise refuse(found)
        return WebhookList(items=[webhook_view(each) for each in found])

    @router.get(
        "/v1/webhooks/{webhook_id}",
        responses={200: {"model": WebhookView}, 304: {"description": "Not changed"}, **problems(401, 403, 404, 503)},
    )
    async def get_webhook(
        webhook_id: str, caller: Caller, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """Get an endpoint, without its secret."""
        only_admins(caller)
        found = await webhooks.get(checked_id(webhook_id))
        if not isinstance(found, Endpoint):
            raise refuse(found)
        if is_unchanged(if_none_match, found.version):
            return not_modified(found.version, {})
        return _endpoint_response(found)

    @router.patch(
        "/v1/webhooks/{webhook_id}",
        responses={200: {"model": WebhookView}, **problems(400, 401, 403, 404, 412, 413, 415, 422, 503)},
    )
    async def change_webhook(
        webhook_id: str, body: ChangeWebhook, caller: Caller, if_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """Change an endpoint, or enable or disable it. Deliveries that wait go to its new URL."""
        only_admins(caller)
        wished = partial(_wished, body)
        found = await webhooks.change(checked_id(webhook_id), wished, body.enabled, expected_versions(if_match))
        if not isinstance(found, Endpoint):
            raise refuse(found)
        return _endpoint_response(found)

    @router.delete(
        "/v1/webhooks/{webhook_id}",
        status_code=204,
        responses=problems(401, 403, 404, 503),
    )
    async def delete_webhook(webhook_id: str, caller: Caller) -> Response:
        """Delete an endpoint and its secret. Deliveries that still wait fail, and say why."""
        only_admins(caller)
        failure = await webhooks.delete(checked_id(webhook_id))
        if failure is not None:
            raise refuse(failure)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return router


def _wished(body: ChangeWebhook, wishes: EndpointWishes) -> EndpointWishes:
    return changed(wishes, body)


def _endpoint_response(endpoint: Endpoint) -> Response:
    text = webhook_view(endpoint).model_dump_json()
    return Response(text, HTTPStatus.OK, versioned(endpoint.version, {}), "application/json")
