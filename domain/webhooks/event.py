"""The document that tells of a change of a job: the body of a webhook, and the detail of an event on the bus.

Its models are the published form (`events/schemas`). It says nothing of the job's payload and result unless asked, and
of an exception no more than a caller may see.
"""

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, JsonValue, PlainSerializer

from domain.jobs.listing import DOCUMENTS, JobSummary
from headrace.authoring.frozen import Frozen
from headrace.authoring.json_text import JsonText, from_json_text, to_json_text


def _rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).isoformat(timespec='microseconds')[:26]}Z"


Moment = Annotated[AwareDatetime, PlainSerializer(_rfc3339, return_type=str)]


class EventError(Frozen):
    """What went wrong in the job's last attempt."""

    code: str
    message: str
    attempt: int
    at: Moment
    reason: str | None = Field(default=None, description="Why no further attempt is made")


class EventDocument(Frozen):
    """A payload or result that is too large to be part of an event."""

    size: int = Field(description="Bytes of JSON")
    href: str = Field(description="Where the API gives it")


class EventJob(Frozen):
    """The job as the change left it."""

    id: str
    type: str
    status: str
    version: int = Field(description="Goes up with each change of the job: an event with a lower one is older")
    owner_id: str
    attempt: int
    max_attempts: int
    tags: dict[str, str]
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    run_at: Moment | None = Field(description="When a scheduled or retrying job is due")
    error: EventError | None
    links: dict[str, str]
    traceparent: str | None = Field(default=None, description="The trace that it was submitted in, if it was in one")
    payload: JsonValue = Field(default=None, description="Present only if it was asked for")
    result: JsonValue = Field(default=None, description="Present only if it was asked for")
    payload_ref: EventDocument | None = Field(default=None, description="In place of a payload that is too large")
    result_ref: EventDocument | None = Field(default=None, description="In place of a result that is too large")


class JobEvent(Frozen):
    """A change of a job."""

    id: str = Field(description="Of the change, not of its delivery: the same for everyone who is told of it")
    type: Literal["job.scheduled", "job.retrying", "job.succeeded", "job.failed", "job.cancelled"]
    timestamp: Moment = Field(description="When the change was made")
    data: EventJob


def derived_id(*parts: str) -> str:
    """An id that is the same whenever it is made of the same parts; by form a UUID."""
    digest = hashlib.sha256("\n".join(parts).encode()).digest()
    return str(UUID(bytes=digest[:16], version=5))


def job_event(summary: JobSummary, include: Collection[str]) -> dict[str, JsonValue]:
    """The event of a change. `summary` has both documents, and the error as a caller may see it."""
    changed_at = _rfc3339(summary.updated_at)
    return {
        "id": derived_id("change", summary.id, str(summary.version)),
        "type": f"job.{summary.status}",
        "timestamp": changed_at,
        "data": {
            "id": summary.id,
            "type": summary.type,
            "status": summary.status,
            "version": summary.version,
            "owner_id": summary.owner_id,
            "attempt": summary.attempt,
            "max_attempts": summary.max_attempts,
            "tags": dict(summary.tags),
            "created_at": _rfc3339(summary.created_at),
            "started_at": _rfc3339(summary.started_at) if summary.started_at else None,
            "finished_at": _rfc3339(summary.finished_at) if summary.finished_at else None,
            "run_at": _rfc3339(summary.run_at) if summary.run_at else None,
            "error": _error(summary),
            "links": {"self": f"/v1/jobs/{summary.id}"},
            **({"traceparent": summary.traceparent} if summary.traceparent else {}),
            **_documents(summary, include),
        },
    }


def trial_event(endpoint_id: str, message_id: str, now: datetime) -> dict[str, JsonValue]:
    """The event by which an admin tries an endpoint."""
    return {
        "id": message_id,
        "type": "webhook.test",
        "timestamp": _rfc3339(now),
        "data": {"endpoint_id": endpoint_id},
    }


def body_of(event: dict[str, JsonValue]) -> JsonText:
    """The event as it is signed and sent."""
    return to_json_text(event)


def _error(summary: JobSummary) -> dict[str, JsonValue] | None:
    if summary.error is None:
        return None
    error = summary.error
    told: dict[str, JsonValue] = {"code": error.code, "message": error.message, "attempt": error.attempt}
    return {**told, "at": _rfc3339(error.at), "reason": summary.reason}


def _documents(summary: JobSummary, include: Collection[str]) -> dict[str, JsonValue]:
    texts = {"payload": summary.payload, "result": summary.result}
    refs = {"payload": summary.payload_ref, "result": summary.result_ref}
    told: dict[str, JsonValue] = {}
    for name in sorted(DOCUMENTS & set(include)):
        if (ref := refs[name]) is not None:
            told[f"{name}_ref"] = {"size": ref.size, "href": f"/v1/jobs/{summary.id}/{name}"}
        elif (text := texts[name]) is not None:
            told[name] = from_json_text(text)
    return told
