"""Conditional requests (RFC 9110, section 13): a resource's ETag is its version."""

from http import HTTPStatus

from functions.api.problems import Refused, problem


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def is_unchanged(if_none_match: str | None, version: int) -> bool:
    """Whether the client has this version already (weak comparison, as a GET wants it)."""
    if if_none_match is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in tags or etag(version) in tags


def required_version(if_match: str | None) -> int:
    """The version that the client wants to change; 428 without one, 412 for what is no version of ours."""
    version = wanted_version(if_match)
    if version is None:
        detail = "Send If-Match with the ETag that you last read."
        raise Refused(problem(HTTPStatus.PRECONDITION_REQUIRED, "precondition_required", detail))
    return version


def wanted_version(if_match: str | None) -> int | None:
    """The version that the client wants to change, if it names one; `*` is any."""
    if if_match is None or if_match.strip() == "*":
        return None
    digits = if_match.strip().removeprefix('"').removesuffix('"')
    if not digits.isdecimal() or etag(int(digits[:18])) != if_match.strip():
        detail = "If-Match does not carry a version of this resource."
        raise Refused(problem(HTTPStatus.PRECONDITION_FAILED, "stale_version", detail))
    return int(digits)
