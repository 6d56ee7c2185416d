"""Submits jobs in tests, by the same rules as the API."""

import json
from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, JsonValue

from domain.jobs.job import Job
from domain.jobs.submitting import (
    IdempotencyMismatch,
    InvalidPayload,
    PayloadTooLarge,
    SubmitResult,
    Submitted,
    UnknownJobType,
)
from domain.users.user import User

Payload = BaseModel | Mapping[str, object]
"""A payload as a test writes it: a model, or what its JSON says."""


class SubmissionRefused(ValueError):
    """The API would refuse the submission; the message says why."""


def document_of(payload: Payload) -> JsonValue:
    """The JSON document that a client would send."""
    if isinstance(payload, BaseModel):
        dumped: JsonValue = payload.model_dump(mode="json", by_alias=True)
        return dumped
    try:
        document: JsonValue = json.loads(json.dumps(payload))
    except (TypeError, ValueError) as error:
        raise SubmissionRefused(f"the payload is not JSON: {error}") from error
    return document


def a_user(id: str, now: datetime) -> User:
    """The user who submits a test's jobs."""
    email = f"{id.lower()}@example.com"
    return User(id=id, email=email, name=id, role="member", version=1, created_at=now, updated_at=now)


def accepted(result: SubmitResult) -> Job:
    """The accepted job; raises `SubmissionRefused`."""
    match result:
        case Submitted(job=job):
            return job
        case InvalidPayload(flaws=flaws):
            raise SubmissionRefused("; ".join(f"{'/'.join(map(str, flaw.path))}: {flaw.message}" for flaw in flaws))
        case PayloadTooLarge(size=size, limit=limit):
            raise SubmissionRefused(f"the payload has {size} bytes of JSON, the limit is {limit}")
        case UnknownJobType(type=name, known=known):
            raise SubmissionRefused(f"no job type is named {name!r}; known are: {', '.join(known) or 'none'}")
        case IdempotencyMismatch(key=key):
            raise SubmissionRefused(f"the idempotency key {key!r} was used for another submission")
        case _:
            raise SubmissionRefused(repr(result))
