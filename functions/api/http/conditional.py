"""Conditional requests (RFC 9110, section 13): a resource's ETag is its version."""

import re
from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import Response

from functions.api.http.header_fields import entity_tags
from functions.api.http.problems import Refused, problem

_VERSION = re.compile(r"0|[1-9][0-9]{0,17}")


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def versioned(version: int, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a response about a version, with a body (200) or without one (304)."""
    return {"etag": etag(version), "cache-control": "no-store", **headers}


def not_modified(version: int, headers: Mapping[str, str]) -> Response:
    """A 304 response with the headers that the 200 would have (RFC 9110, section 15.4.5)."""
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=versioned(version, headers))


def is_unchanged(if_none_match: str | None, version: int) -> bool:
    """Whether the client already has this version (weak comparison); a malformed If-None-Match is ignored."""
    tags = entity_tags(if_none_match) if if_none_match is not None else None
    if tags is None or tags == "*":
        return tags == "*"
    return any(tag.opaque == str(version) for tag in tags)


def required_versions(if_match: str | None) -> frozenset[int] | None:
    """`expected_versions` of a required If-Match; refuses the request with 428 if there is none."""
    if if_match is None:
        detail = "Send If-Match with the ETag that you last read, or with * for any version."
        raise Refused(problem(HTTPStatus.PRECONDITION_REQUIRED, "precondition_required", detail))
    return expected_versions(if_match)


def expected_versions(if_match: str | None) -> frozenset[int] | None:
    """The versions that If-Match permits to change; None permits any (no If-Match, or `*`).

    Comparison is strong, so weak tags match nothing; nor do tags that are not ETags of ours. A malformed If-Match is
    refused with 412.
    """
    tags = entity_tags(if_match) if if_match is not None else "*"
    if tags is None:
        detail = "If-Match is neither * nor a list of entity tags."
        raise Refused(problem(HTTPStatus.PRECONDITION_FAILED, "stale_version", detail))
    if tags == "*":
        return None
    return frozenset(int(tag.opaque) for tag in tags if not tag.weak and _VERSION.fullmatch(tag.opaque))
