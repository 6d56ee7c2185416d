"""The OpenAPI document: FastAPI's, with problem documents in place of FastAPI's own errors."""

from http import HTTPStatus

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import JsonValue

from functions.api.http.problems import MEDIA_TYPE, Problem, phrase

VERSION = "0.1.0"
_REF: dict[str, JsonValue] = {"schema": {"$ref": "#/components/schemas/Problem"}}


_GATEWAY: dict[str, JsonValue] = {
    "application/json": {"schema": {"type": "object", "properties": {"message": {"type": "string"}}}}
}
JOB_LINKS: dict[str, JsonValue] = {
    name: {"operationId": operation, "parameters": {"job_id": "$response.body#/id"}}
    for name, operation in (("read", "get_job"), ("cancel", "cancel_job"), ("retry", "retry_job"))
}
"""OpenAPI links from a job to the operations on it."""
SCHEDULE_LINKS: dict[str, JsonValue] = {
    name: {"operationId": f"{name}_schedule", "parameters": {"schedule_id": "$response.body#/id"}}
    for name in ("get", "change", "pause", "resume", "run", "delete")
}
"""The same from a schedule."""


def problems(*statuses: int) -> dict[int | str, dict[str, JsonValue]]:
    """Describe responses that are problem documents, for a route's `responses`."""
    return {
        status: {
            "description": phrase(HTTPStatus(status)),
            # API Gateway refuses an invalid token itself, without calling the function, with its own form of body.
            "content": {MEDIA_TYPE: _REF, **(_GATEWAY if status == HTTPStatus.UNAUTHORIZED else {})},
        }
        for status in statuses
    }


def openapi_document(app: FastAPI) -> dict[str, JsonValue]:
    """The OpenAPI document of `app`, with the schema of problem documents and the security scheme."""
    document: dict[str, JsonValue] = get_openapi(
        title="Headrace",
        version=VERSION,
        description="Background jobs: at-least-once execution, exactly-once commit of the outcome, fenced.",
        routes=app.routes,
    )
    components = document.setdefault("components", {})
    paths = document["paths"]
    if not isinstance(components, dict) or not isinstance(paths, dict):
        raise TypeError("not an OpenAPI document")
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    definitions = schema.pop("$defs", {})
    schemas = components.setdefault("schemas", {})
    if isinstance(schemas, dict):
        schemas.update({"Problem": schema, **definitions})
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
    components["securitySchemes"] = {"jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    for path, operations in paths.items():
        if path.startswith("/v1/") and isinstance(operations, dict):
            for operation in operations.values():
                if isinstance(operation, dict):
                    operation["security"] = [{"jwt": []}]
                    _add_gateway_refusals(operation)
                    _drop_default_422(operation)
    return document


def _add_gateway_refusals(operation: dict[str, JsonValue]) -> None:
    """Add API Gateway's own refusals of more than 10,240 bytes of request line and headers."""
    responses = operation.get("responses")
    if isinstance(responses, dict):
        for status in (HTTPStatus.REQUEST_URI_TOO_LONG, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE):
            responses[str(status.value)] = {"description": status.phrase, "content": _GATEWAY}


def _drop_default_422(operation: dict[str, JsonValue]) -> None:
    """Remove the 422 that FastAPI declares for every route with a parameter, even where any value is valid."""
    responses = operation.get("responses")
    if isinstance(responses, dict) and "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
