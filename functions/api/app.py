"""The application: routes, and how failures of every kind become problem documents."""

from http import HTTPStatus

from aws_lambda_powertools import Logger
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from domain.jobs.failed_jobs import FailedJobService
from domain.jobs.job_type import Catalogue
from domain.jobs.repository import JobRepository
from domain.jobs.service import JobService
from domain.ports import Clock, NewId
from domain.users.repository import UserRepository
from domain.users.service import UserService
from functions.api.failed_jobs import failed_job_routes
from functions.api.health import health_routes
from functions.api.identity import identifier
from functions.api.job_types import job_type_routes
from functions.api.jobs import job_routes
from functions.api.openapi import VERSION, openapi_document
from functions.api.problems import ProblemError, Refused, json_pointer, problem, problem_response
from functions.api.request_context import RequestContext
from functions.api.users import user_routes


def create_app(
    jobs: JobRepository,
    users: UserRepository,
    catalogue: Catalogue,
    clock: Clock,
    new_id: NewId,
    logger: Logger,
) -> FastAPI:
    """The API over these repositories."""
    user_service = UserService(users, clock, new_id)
    identify = identifier(user_service)
    app = FastAPI(title="Headrace", version=VERSION, redoc_url=None)
    app.include_router(job_routes(JobService(jobs, catalogue, clock, new_id), identify))
    app.include_router(failed_job_routes(FailedJobService(jobs, catalogue, clock), identify))
    app.include_router(job_type_routes(catalogue, identify))
    app.include_router(user_routes(user_service, identify))
    app.include_router(health_routes(jobs, clock))
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_middleware(RequestContext, logger=logger)
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


async def _refused(request: Request, refused: Exception) -> Response:
    if not isinstance(refused, Refused):
        raise refused
    return problem_response(request, refused.problem, refused.headers)


async def _invalid(request: Request, invalid: Exception) -> Response:
    """Form errors of body, query and path, each with its place and never with its value."""
    if not isinstance(invalid, RequestValidationError):
        raise invalid
    flaws = invalid.errors()
    if any(flaw["type"] == "json_invalid" for flaw in flaws):
        reason = str(flaws[0].get("ctx", {}).get("error", "not JSON"))
        told = problem(HTTPStatus.BAD_REQUEST, "invalid_json", f"The body is not valid JSON: {reason}.")
        return problem_response(request, told)
    errors = [ProblemError(pointer=json_pointer(flaw["loc"][1:]), detail=flaw["msg"]) for flaw in flaws]
    detail = "The request does not have the form that is documented; see errors."
    return problem_response(request, problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail, errors))


async def _http_error(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown paths, wrong methods."""
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    told = problem(status, status.name.lower(), f"{status.description or status.phrase}.")
    return problem_response(request, told, dict(error.headers or {}))
