"""The prefixes of the paths of callers without a person's token: `/iam/v1/…` and `/key/v1/…` are `/v1/…` after them."""

from collections.abc import Mapping
from typing import Final

from functions.api.http.event import Event

PREFIXES: Final = ("/iam", "/key")


def prefix_of(event: object) -> str:
    """The prefix of the route that API Gateway chose; empty for the others. A client has no influence on it."""
    key = event.get("routeKey") if isinstance(event, Mapping) else None
    path = key.partition(" ")[2] if isinstance(key, str) else ""
    return next((prefix for prefix in PREFIXES if path.startswith(f"{prefix}/v1/")), "")


def without_prefix(event: Event) -> Event:
    """The event with the path that the application's routes have."""
    prefix, context = prefix_of(event), _mapping(event.get("requestContext"))
    http = _mapping(context.get("http"))
    path = http.get("path")
    if not prefix or not isinstance(path, str) or not path.startswith(f"{prefix}/"):
        return event
    short = path.removeprefix(prefix)
    return {**event, "rawPath": short, "requestContext": {**context, "http": {**http, "path": short}}}


def _mapping(value: object) -> Event:
    return value if isinstance(value, dict) else {}
