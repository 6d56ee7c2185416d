"""/v1/files: upload and download by links, which lead past this function."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from domain.files.repository import FileNotFound
from domain.files.service import FileLink, FileService, UploadRequested
from domain.users.user import User
from functions.api.files.models import CreateFile, FileView, file_view
from functions.api.http.identity import Identify
from functions.api.http.ids import is_id
from functions.api.http.json_body import StrictJsonRoute
from functions.api.http.openapi import problems
from functions.api.http.problems import refuse


def file_routes(files: FileService, identify: Identify) -> APIRouter:
    """The file routes; all require a user."""
    router = APIRouter(route_class=StrictJsonRoute, tags=["files"])
    Caller = Annotated[User, Depends(identify)]  # noqa: N806 - an alias of a type

    @router.post(
        "/v1/files",
        status_code=201,
        responses={201: {"model": FileView}, **problems(400, 401, 403, 413, 415, 422, 503)},
    )
    async def create_file(body: CreateFile, caller: Caller) -> Response:
        """Request the upload of a file of up to 5 GB. The response has the request that uploads it, within an hour."""
        requested = await files.request_upload(body.name, body.content_type, body.size, caller)
        if not isinstance(requested, UploadRequested):
            raise refuse(requested)
        view = file_view(requested)
        headers = {"location": view.links["self"], "cache-control": "no-store"}
        return Response(view.model_dump_json(), HTTPStatus.CREATED, headers, "application/json")

    @router.get(
        "/v1/files/{file_id}",
        status_code=307,
        responses={307: {"description": "A link to the file"}, **problems(401, 403, 404, 409, 503)},
    )
    async def get_file(file_id: str, caller: Caller) -> Response:
        """Download a file: a redirect to a link that expires."""
        found = await files.link(file_id, caller) if is_id(file_id) else FileNotFound(file_id=file_id)
        if not isinstance(found, FileLink):
            raise refuse(found)
        headers = {"location": found.url, "cache-control": "no-store"}
        return Response(status_code=HTTPStatus.TEMPORARY_REDIRECT, headers=headers)

    return router
