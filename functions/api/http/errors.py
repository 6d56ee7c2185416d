"""Maps every kind of error that a route raises to a problem document."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from domain.flaws import MAX_FLAWS, Flaw
from functions.api.http.features import Features
from functions.api.http.forms import InvalidForm
from functions.api.http.problems import Refused, invalid, problem, problem_response

_WRONG_FORM = "The request does not have the form that is documented"


def add_error_handlers(app: FastAPI, features: Features) -> None:
    """Add handlers to `app` for every error that a route of `features` may raise."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(InvalidForm, _invalid_form)
    app.add_exception_handler(HTTPException, _http_errors(features))


async def _refused(request: Request, refused: Exception) -> Response:
    if not isinstance(refused, Refused):
        raise refused
    return problem_response(request, refused.problem, refused.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    """Report validation errors of body, query and path, each with its location and never with its value."""
    if not isinstance(error, RequestValidationError):
        raise error
    flaws = error.errors()
    if any(flaw["type"] == "json_invalid" for flaw in flaws):
        reason = str(flaws[0].get("ctx", {}).get("error", "not JSON"))
        malformed = problem(HTTPStatus.BAD_REQUEST, "invalid_json", f"The body is not valid JSON: {reason}.")
        return problem_response(request, malformed)
    first = [Flaw(path=flaw["loc"][1:], message=flaw["msg"]) for flaw in flaws[:MAX_FLAWS]]
    return problem_response(request, invalid("invalid_request", _WRONG_FORM, first, len(flaws)))


async def _invalid_form(request: Request, error: Exception) -> Response:
    """Report the validation errors of a body that is a `Form`."""
    if not isinstance(error, InvalidForm):
        raise error
    flaws = error.flaws
    return problem_response(request, invalid("invalid_request", _WRONG_FORM, flaws.first, flaws.count))


def _http_errors(features: Features) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Maps Starlette's HTTP errors to problem documents: unknown paths, wrong methods.

    OPTIONS, which no route serves itself, says which methods the path has (RFC 9110, section 9.3.7), without content.
    """

    async def http_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        status = HTTPStatus(error.status_code)
        if status == HTTPStatus.METHOD_NOT_ALLOWED and request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers={"allow": allowed(request)})
        refused = problem(status, status.name.lower(), f"{status.description or status.phrase}.")
        headers = {"allow": allowed(request)} if status == HTTPStatus.METHOD_NOT_ALLOWED else {}
        return problem_response(request, refused, headers)

    def allowed(request: Request) -> str:
        """All methods of the path; Starlette alone would list those of the first route that matches."""
        routes = (route for route in features.routes() if isinstance(route, Route))
        matching = (route.methods or () for route in routes if route.matches(request.scope)[0] is not Match.NONE)
        methods = {method for methods in matching for method in methods}
        return ", ".join(sorted(methods | ({"HEAD", "OPTIONS"} if "GET" in methods else {"OPTIONS"})))

    return http_error
