"""What a test says that a job remembers, and what it remembers in the end."""

import sys
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import cast

from pydantic import BaseModel, JsonValue

from domain.children.group import new_group
from domain.children.results import written
from domain.durable.step import CHILDREN, RECEIVED, RESULTS, STEP, TABLE, Step, step_put
from domain.jobs.job import BlobRef, Job
from headrace.authoring.children import ChildFailed
from headrace.authoring.json_text import JsonText, from_json_text, to_json_text
from headrace.testing.blob_store import FakeBlobStore
from headrace.testing.job_repository import FakeJobRepository
from headrace.testing.payloads import document_of


def given_steps(
    jobs: FakeJobRepository, job: Job, steps: Mapping[str, object], signals: Mapping[str, object], now: datetime
) -> None:
    """Store steps and signals of a job, by name, as earlier attempts and API calls do."""
    for kind, values in ((STEP, steps), (RECEIVED, signals)):
        for name, value in values.items():
            step = Step(
                job_id=job.life, name=name, kind=kind, attempt=1, began_at=now, ended_at=now,
                value=to_json_text(json_of(value)),
            )  # fmt: skip
            put = step_put(step, now)
            jobs.put_item(TABLE, put.key, {**put.values, **put.key})


def given_children(jobs: FakeJobRepository, job: Job, children: Mapping[str, object], now: datetime) -> None:
    """Store what children came to, as an earlier attempt does: of a list each member is one child's."""
    for name, value in children.items():
        members = value if isinstance(value, list) else [value]
        outcomes = [each if isinstance(each, ChildFailed) else to_json_text(json_of(each)) for each in members]
        step = Step(job_id=job.life, name=name, kind=CHILDREN, attempt=1, began_at=now)
        group = new_group("", len(outcomes), None, 0)
        results = step.model_copy(update={"kind": RESULTS, "value": written(outcomes, sys.maxsize)})
        for each in (step.model_copy(update={"group": group}), results):
            put = step_put(each, now)
            jobs.put_item(TABLE, put.key, {**put.values, **put.key})


def values_of(steps: Iterable[Step], blobs: FakeBlobStore) -> Mapping[str, JsonValue]:
    """The values of steps and signals, by name."""
    return {step.name: _value(step, blobs) for step in steps if step.kind in {STEP, RECEIVED}}


def json_of(value: object) -> JsonValue:
    """A model, or what its JSON says, as JSON."""
    return document_of(value) if isinstance(value, BaseModel) else cast("JsonValue", value)


def _value(step: Step, blobs: FakeBlobStore) -> JsonValue:
    match step.value:
        case None:
            return None
        case BlobRef(key=key):
            return from_json_text(JsonText(blobs.stored[key].content.decode()))
        case str() as text:
            return from_json_text(text)
