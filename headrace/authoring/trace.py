"""The place of a job in a distributed trace: the header `traceparent` (W3C Trace Context, level 2).

It is `00-<trace>-<parent>-<flags>`: the trace's id (32 hexadecimal digits), the id of the span that caused what follows
(16), and eight flags, of which two have a meaning: sampled, and that the trace's id is random.
"""

import hashlib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from headrace.authoring.context import AttemptInfo

_FIELD: Final = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<parent>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
_KNOWN_FLAGS: Final = 0b11
_SAMPLED_XRAY: Final = re.compile(
    r"Root=1-(?P<time>[0-9a-f]{8})-(?P<unique>[0-9a-f]{24});Parent=(?P<parent>[0-9a-f]{16});Sampled=1(?:;.*)?"
)


def read_traceparent(field: str | None) -> str | None:
    """The header's value as this version of the standard writes it; None for one that is to be ignored.

    Of a later version, which may have more fields, the known ones are taken; flags without a meaning yet are cleared.
    """
    found = _FIELD.fullmatch(field) if field is not None else None
    if found is None or (found["version"] == "00" and found["more"] is not None):
        return None
    return f"00-{found['trace']}-{found['parent']}-{int(found['flags'], 16) & _KNOWN_FLAGS:02x}"


def traceparent_of_xray(header: str | None) -> str | None:
    """The same of X-Ray's `Root=…;Parent=…;Sampled=1`; None if X-Ray does not record the trace.

    X-Ray's trace ids are those of W3C with two hyphens: `1-<8 digits>-<24 digits>`.
    """
    found = _SAMPLED_XRAY.fullmatch(header) if header is not None else None
    return read_traceparent(f"00-{found['time']}{found['unique']}-{found['parent']}-01") if found else None


def trace_id(traceparent: str) -> str:
    """The trace's id."""
    return traceparent[3:35]


def span_id(job_id: str, attempt: int) -> str:
    """The id of an attempt as a span: the same whenever it is made, so that logs and receivers name it alike."""
    return hashlib.sha256(f"{job_id}\n{attempt}".encode()).hexdigest()[:16]


def trace_headers(attempt: "AttemptInfo") -> tuple[tuple[str, str], ...]:
    """What an attempt sends along with a request of its own: the same trace, with the attempt as the parent."""
    given = attempt.traceparent
    if given is None:
        return ()
    return (("traceparent", f"{given[:36]}{span_id(attempt.job_id, attempt.attempt)}{given[52:]}"),)
