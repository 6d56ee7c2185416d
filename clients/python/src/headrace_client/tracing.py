"""The trace that a submission is part of (W3C Trace Context)."""

import sys
from collections.abc import Mapping


def trace_headers(traceparent: str | None) -> Mapping[str, str]:
    """The header of a given `traceparent`; None is the current span's, the empty text none at all."""
    found = current_traceparent() if traceparent is None else traceparent
    return {"traceparent": found} if found else {}


def current_traceparent() -> str | None:
    """The current span's, in a program that uses OpenTelemetry; None elsewhere. This package does not require it."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry import trace  # noqa: PLC0415 - only where a program has imported it

    span = trace.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None
