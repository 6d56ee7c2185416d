"""Lets a submission without a trace of its own be part of the trace that X-Ray records of its request."""

from functions.api.http.event import Event
from headrace.authoring.trace import traceparent_of_xray

VARIABLE = "_X_AMZN_TRACE_ID"
"""Lambda sets it anew for each invocation: `Root=…;Parent=…;Sampled=1` if this one is recorded."""


def with_traceparent(event: Event, xray: str | None) -> Event:
    """The event with the header `traceparent`, if the request has none and X-Ray records it."""
    headers = event.get("headers")
    if xray is None or not isinstance(headers, dict) or any(str(name).lower() == "traceparent" for name in headers):
        return event
    found = traceparent_of_xray(xray)
    return event if found is None else {**event, "headers": {**headers, "traceparent": found}}
