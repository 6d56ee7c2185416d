"""The responses that the gateway gives by itself: API Gateway's, and three that say more than AWS would."""

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import web

from headrace.emulator.tokens import InvalidToken

_MAX_REASON = 2000
"""Characters of why a function cannot start: an exception's message may have any length."""


def message(status: int, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """A response of API Gateway itself."""
    return web.json_response({"message": text}, status=status, headers=headers)


def last_message(status: int) -> web.Response:
    """A response that closes the connection, because the rest of the request cannot be parsed."""
    response = message(status, HTTPStatus(status).phrase)
    response.force_close()
    return response


def cannot_start(function: str, reason: str) -> web.Response:
    """What only the local stack says: on AWS this is a 500 without a reason."""
    return _unavailable("function_cannot_start", f"{function} cannot start: {reason[:_MAX_REASON]}")


def disk_full() -> web.Response:
    """What only the local stack says, before its disk is so full that it might not save what it has accepted."""
    return _unavailable("disk_full", "the disk of the local stack is nearly full, so it accepts nothing; make room")


def _unavailable(code: str, detail: str) -> web.Response:
    problem = {
        "type": f"urn:headrace:problem:{code}",
        "title": HTTPStatus.SERVICE_UNAVAILABLE.phrase,
        "status": HTTPStatus.SERVICE_UNAVAILABLE,
        "detail": detail,
        "code": code,
    }
    return web.json_response(problem, status=HTTPStatus.SERVICE_UNAVAILABLE, content_type="application/problem+json")


def unauthorized(refused: InvalidToken) -> web.Response:
    """What an authorizer's refusal is here: API Gateway's response, with the reason.

    The challenge of a request without a token has no error (RFC 6750, section 3.1), but a description all the same,
    which helps whoever sees it on this machine, and the realm that API Gateway leaves out.
    """
    error = 'realm="headrace"' if refused.is_missing else 'scope="" error="invalid_token"'
    headers = {"www-authenticate": f'Bearer {error} error_description="{refused.reason}"'}
    document = {"message": HTTPStatus.UNAUTHORIZED.phrase, "detail": refused.reason}
    return web.json_response(document, status=HTTPStatus.UNAUTHORIZED, headers=headers)
