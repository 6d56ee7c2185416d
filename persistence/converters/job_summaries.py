"""From DynamoDB items to entries of a list, which have no documents unless they were asked for."""

from typing import get_args

from domain.jobs.job import Blocked, Final, Job, Queued, Retrying, Running, Scheduled, Waiting
from domain.jobs.listing import DOCUMENTS, Document, Include, JobSummary, documents_for, summary_of
from persistence.converters.attributes import Item, Unreadable, string_of
from persistence.converters.dynamo_to_domain import REFS, item_to_job

_STATES = (Scheduled, Blocked, Queued, Running, Retrying, Waiting, *get_args(Final))
_ATTRIBUTES = frozenset({"schema", *REFS.values(), *Job.model_fields}.union(*(state.model_fields for state in _STATES)))


def summary_attributes(include: Include) -> tuple[str, ...]:
    """The attributes to read for an entry: all of a job's, but for documents that are not in `include`."""
    return tuple(sorted(_ATTRIBUTES - {"state"} - DOCUMENTS | documents_for(include)))


def item_to_summary(item: Item, include: Include) -> JobSummary | Unreadable:
    """The entry that an item holds, read by the same rules as the whole job."""
    absent: dict[str, object] = {name: {"S": "null"} for name in DOCUMENTS - documents_for(include) if _has(item, name)}
    job = item_to_job({**item, **absent})
    return job if isinstance(job, Unreadable) else summary_of(job, include)


def _has(item: Item, document: Document) -> bool:
    return document == "payload" or string_of(item, "status") == "succeeded"
