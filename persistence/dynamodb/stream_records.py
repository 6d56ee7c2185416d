"""Records of the jobs table's stream, as Lambda delivers them.

The shape is AWS's (DynamoDB Streams API, `Record`; Lambda adds `eventSourceARN`). A record that does
not have it becomes `Undecodable`, so that the rest of its batch is processed.
"""

from collections.abc import Mapping
from functools import cached_property

from pydantic import Field, SkipValidation

from domain.jobs.job import Job, Queued
from headrace.authoring.frozen import Frozen
from persistence.converters.attributes import Item, Unreadable, string_of
from persistence.converters.dynamo_to_domain import item_to_job

TTL_PRINCIPAL = "dynamodb.amazonaws.com"
"""Who deletes an expired item, in a REMOVE record's `userIdentity`."""


class _FromImages(Frozen):
    """An event of a record that may have an image of the item before it."""

    sequence_number: str
    old_image: SkipValidation[Item | None] = Field(default=None, repr=False)
    """As the record has it; see `before`."""

    @cached_property
    def before(self) -> Job | None:
        """The job as it was; None when it is new, or when the image before is not one that this version can read.

        Decoded when it is asked for: a worker never asks, and decoding it would cost as much as the record itself.
        """
        job = None if self.old_image is None else item_to_job(self.old_image)
        return job if isinstance(job, Job) else None


class JobQueued(_FromImages):
    """A job waits for a worker: it was submitted, fell due, or its trigger was lost."""

    after: Job


class JobChanged(_FromImages):
    """A job was written in another state than queued."""

    after: Job


class JobOfNewerVersion(Frozen):
    """A job was written in a form that only a newer version can read, which has a worker of its own for it."""

    sequence_number: str
    job_id: str
    type: str
    detail: str


class JobRemoved(_FromImages):
    """A job was deleted, by DynamoDB's TTL or by a person."""

    job_id: str
    by_ttl: bool


class Undecodable(Frozen):
    """A record that is not one of ours; it reports paths, never contents."""

    sequence_number: str | None
    event_id: str | None
    stream_arn: str | None
    job_id: str | None
    detail: str


StreamEvent = JobQueued | JobChanged | JobOfNewerVersion | JobRemoved | Undecodable


def decode(record: object) -> StreamEvent:
    """Decode a stream record. Never raises."""
    if not isinstance(record, Mapping):
        return Undecodable(sequence_number=None, event_id=None, stream_arn=None, job_id=None, detail="not an object")
    change = record.get("dynamodb")
    if not isinstance(change, Mapping):
        return _undecodable(record, {}, "no dynamodb member")
    sequence_number = change.get("SequenceNumber")
    if not isinstance(sequence_number, str) or not sequence_number:
        return _undecodable(record, change, "no sequence number")
    match record.get("eventName"):
        case "INSERT" | "MODIFY":
            return _written(record, change, sequence_number)
        case "REMOVE":
            job_id = _key(change)
            if job_id is None:
                return _undecodable(record, change, "no key")
            identity = record.get("userIdentity")
            by_ttl = isinstance(identity, Mapping) and identity.get("principalId") == TTL_PRINCIPAL
            before = _old_image(change)
            return JobRemoved(sequence_number=sequence_number, job_id=job_id, by_ttl=by_ttl, old_image=before)
        case _:
            return _undecodable(record, change, "unknown eventName")


def _written(record: Mapping[str, object], change: Mapping[str, object], sequence_number: str) -> StreamEvent:
    image = change.get("NewImage")
    if not isinstance(image, Mapping):
        return _undecodable(record, change, "no new image")
    job = item_to_job(image)
    if isinstance(job, Unreadable) and job.newer and (job_id := _key(change)) is not None:
        kind = string_of(image, "type") or ""
        return JobOfNewerVersion(sequence_number=sequence_number, job_id=job_id, type=kind, detail=job.detail)
    if isinstance(job, Unreadable):
        return _undecodable(record, change, job.detail)
    event = JobQueued if isinstance(job.state, Queued) else JobChanged
    return event(sequence_number=sequence_number, after=job, old_image=_old_image(change))


def _old_image(change: Mapping[str, object]) -> Item | None:
    image = change.get("OldImage")
    return image if isinstance(image, Mapping) else None


def _undecodable(record: Mapping[str, object], change: Mapping[str, object], detail: str) -> Undecodable:
    return Undecodable(
        sequence_number=_text(change.get("SequenceNumber")),
        event_id=_text(record.get("eventID")),
        stream_arn=_text(record.get("eventSourceARN")),
        job_id=_key(change),
        detail=detail,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _key(change: Mapping[str, object]) -> str | None:
    keys = change.get("Keys")
    return string_of(keys, "id") if isinstance(keys, Mapping) else None
