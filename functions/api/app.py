"""The application: routes, and how failures of every kind become problem documents."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus

from aws_lambda_powertools import Logger
from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from domain.flaws import MAX_FLAWS, Flaw
from domain.jobs.failed_jobs import FailedJobService
from headrace.authoring.job_type import Catalogue
from domain.jobs.listing import JobListing, JobListService
from domain.jobs.repository import JobRepository
from domain.jobs.service import JobService
from domain.ports import Clock, NewId
from domain.users.repository import UserRepository
from domain.users.service import UserService
from functions.api.failed_jobs.routes import failed_job_routes
from functions.api.http.forms import InvalidForm
from functions.api.http.head import HeadAsGet
from functions.api.health.routes import health_routes
from functions.api.http.identity import identifier
from functions.api.job_types.routes import job_type_routes
from functions.api.jobs.routes import job_routes
from functions.api.http.openapi import VERSION, openapi_document
from functions.api.http.problems import Refused, invalid, problem, problem_response
from functions.api.http.request_context import RequestContext
from functions.api.users.routes import user_routes
from functions.api.jobs.routes.waiting import LONGEST_WAIT

_WRONG_FORM = "The request does not have the form that is documented"


def create_app(
    jobs: JobRepository,
    listing: JobListing,
    users: UserRepository,
    catalogue: Catalogue,
    clock: Clock,
    new_id: NewId,
    logger: Logger,
    local_email: str | None = None,
    trust_unverified_email: bool = False,
    longest_wait: timedelta = LONGEST_WAIT,
) -> FastAPI:
    """The API over these repositories.

    `local_email` stands in for an authorizer under `sam local`; `trust_unverified_email` admits tokens without
    `email_verified`; `longest_wait` bounds `Prefer: wait`, and 0 turns it off.
    """
    user_service = UserService(users, clock, new_id)
    identify = identifier(user_service, local_email, trust_unverified_email)
    app = FastAPI(
        title="Headrace",
        version=VERSION,
        redoc_url=None,
        redirect_slashes=False,  # Behind a gateway, a redirect would name a scheme and host that are not the client's.
        generate_unique_id_function=lambda route: route.name,
    )
    routers = (
        job_routes(JobService(jobs, catalogue, clock, new_id), JobListService(listing, clock), identify, longest_wait),
        failed_job_routes(FailedJobService(jobs, listing, catalogue, clock), identify),
        job_type_routes(catalogue, identify),
        user_routes(user_service, identify),
        health_routes(jobs, clock),
    )
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(InvalidForm, _invalid_form)
    app.add_exception_handler(HTTPException, _http_errors(app, routers))
    app.add_middleware(HeadAsGet)
    app.add_middleware(RequestContext, logger=logger)
    app.openapi = lambda: openapi_document(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


async def _refused(request: Request, refused: Exception) -> Response:
    if not isinstance(refused, Refused):
        raise refused
    return problem_response(request, refused.problem, refused.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    """Form errors of body, query and path, each with its place and never with its value."""
    if not isinstance(error, RequestValidationError):
        raise error
    flaws = error.errors()
    if any(flaw["type"] == "json_invalid" for flaw in flaws):
        reason = str(flaws[0].get("ctx", {}).get("error", "not JSON"))
        told = problem(HTTPStatus.BAD_REQUEST, "invalid_json", f"The body is not valid JSON: {reason}.")
        return problem_response(request, told)
    first = [Flaw(path=flaw["loc"][1:], message=flaw["msg"]) for flaw in flaws[:MAX_FLAWS]]
    return problem_response(request, invalid("invalid_request", _WRONG_FORM, first, len(flaws)))


async def _invalid_form(request: Request, error: Exception) -> Response:
    """A body without its form."""
    if not isinstance(error, InvalidForm):
        raise error
    flaws = error.flaws
    return problem_response(request, invalid("invalid_request", _WRONG_FORM, flaws.first, flaws.count))


def _http_errors(app: FastAPI, routers: tuple[APIRouter, ...]) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Maps Starlette's HTTP errors to problem documents: unknown paths, wrong methods."""
    included = (route for router in routers for route in router.routes)
    routes = tuple(route for route in (*app.routes, *included) if isinstance(route, Route))

    async def http_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        status = HTTPStatus(error.status_code)
        refused = problem(status, status.name.lower(), f"{status.description or status.phrase}.")
        headers = {"allow": allowed(request)} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
        return problem_response(request, refused, headers)

    def allowed(request: Request) -> str:
        """Every method of the path; the framework knows those of the first route that matches."""
        matching = (route.methods or () for route in routes if route.matches(request.scope)[0] is not Match.NONE)
        methods = {method for methods in matching for method in methods}
        return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))

    return http_error
