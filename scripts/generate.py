"""Writes what is generated: docs/openapi.json, docs/lifecycle.md, events/ and the synchronous client.

`make docs` runs it; a test compares what it would write with what is committed.
"""

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from aws_lambda_powertools import Logger
from pydantic import JsonValue

from domain.jobs import job as states
from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import Job
from domain.jobs.lifecycle import MOVES
from domain.jobs.outcomes import Done
from domain.jobs.transitions import IllegalTransition, NewJob
from domain.jobs.wake_queue import Wake
from domain.lanes.lanes import Lanes
from domain.schedules.tick_queue import TickWake
from domain.users.quota import DEFAULT
from domain.users.user import Role, User
from domain.webhooks.event import JobEvent
from functions.adapters import (
    blob_store,
    child_listing,
    count_repository,
    endpoint_repository,
    file_repository,
    job_listing,
    job_repository,
    lane_repository,
    schedule_listing,
    schedule_repository,
    signer_repository,
    step_listing,
    step_repository,
    tick_queue,
    user_listing,
    user_repository,
)
from functions.api.app import create_app
from functions.api.parts import Large, Remembering, Scheduling, Webhooks
from functions.job_types import load_job_types
from functions.runtime import LazyClient, Runtime, new_id, new_random, new_secret, now
from functions.settings import ApiSettings, BlobSettings, Settings
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import WORKER, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Retry
from headrace.emulator.template import declared_job_types
from persistence.converters.dynamo_to_domain import job_to_item
from persistence.sqs.wake_messages import body_of
from scripts.sample_events import SAMPLE_EMAIL, SAMPLE_TIME, http_event, queue_message
from scripts.unasync import twins

ROOT = Path(__file__).resolve().parent.parent

POLICY = Policy(runner=WORKER)
SAMPLE_JOB_ID = "0b9f5f6e-4c1d-4e54-9b57-6d2f6f0c7a11"
SAMPLE_SCHEDULE_ID = "8c1e7d42-5b0a-4f7e-9d3c-6a2b1f0e9d84"
SAMPLE_OWNER_ID = "5a1c9f52-8a3b-4f43-9c11-2f7d1a3e9b20"
_STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/JobsTable/stream/2026-11-23T00:00:00.000"
_STATES = (
    states.Scheduled, states.Queued, states.Running, states.Retrying, states.Waiting, states.Succeeded,
    states.Failed, states.Cancelled,
)  # fmt: skip


def generated() -> Mapping[str, str]:
    """Every generated file's path from the root, and its content."""
    samples = {f"events/samples/{name}.json": _json(event) for name, event in _samples().items()}
    documents = {"docs/openapi.json": _json(openapi()), "docs/lifecycle.md": lifecycle()}
    return {**documents, "events/schemas/job_event.json": _json(event_schema()), **samples, **twins(ROOT)}


def openapi() -> dict[str, JsonValue]:
    """The OpenAPI document of the API."""
    ours = ApiSettings(
        users_table="users",
        user_emails_table="user_emails",
        principals_table="principals",
        cursor_key="0" * 64,
        longest_wait=timedelta(seconds=20),
        trust_unverified_email=False,
        quota=DEFAULT,
    )
    blobs = BlobSettings(bucket="blobs", endpoint_url=None, files_table="files", file_lifetime=timedelta(days=30))
    client = LazyClient(None)  # Never opened: the document needs no table.
    settings = Settings(jobs_table="jobs", endpoint_url=None)
    jobs, lanes = job_repository(settings, client), lane_repository(settings, client)
    catalogue = load_job_types(declared_job_types(os.environ))
    app = create_app(
        jobs,
        job_listing(settings, ours.cursor_key, client),
        user_repository(ours, client),
        catalogue,
        now,
        new_id,
        Logger("docs"),
        lanes=Lanes(jobs, lanes, catalogue, now, new_random),
        lane_store=lanes,
        large=Large(blob_store(blobs, Runtime(None)), file_repository(blobs, client), blobs.file_lifetime),
        scheduling=lambda: Scheduling(
            schedule_repository("schedules", client),
            schedule_listing("schedules", ours.cursor_key, client),
            tick_queue(""),
            per_owner=100,
        ),
        remembering=lambda: Remembering(
            step_repository(settings, client),
            step_listing(settings, ours.cursor_key, client),
            count_repository(settings, client),
            child_listing(settings, ours.cursor_key, client),
        ),
        user_lists=user_listing(ours, client),
        webhooks=Webhooks(
            endpoint_repository("webhooks", client), signer_repository("webhook_secrets", client), new_secret
        ),
    )
    document: dict[str, JsonValue] = json.loads(json.dumps(app.openapi()))
    return document


def event_schema() -> dict[str, JsonValue]:
    """The JSON Schema of what webhooks and events on the bus say of a job."""
    schema: dict[str, JsonValue] = JobEvent.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def lifecycle() -> str:
    """The states and every legal move between them."""
    arrows = "\n".join(
        f"    {'[*]' if move.source == 'new' else move.source} --> {move.target}: {move.action}" for move in MOVES
    )
    described = "\n".join(
        f"| {state.model_fields['status'].default} | {_summary(state.__doc__)} | {_leaving(state)} |"
        for state in _STATES
    )
    return f"""# The life of a job

Generated from `domain/jobs/transitions.py` by `make docs`. A test keeps it current.

```mermaid
stateDiagram-v2
{arrows}
```

| State | Meaning | Moved on by |
|---|---|---|
{described}

Every move is one conditional write: the job's version must be the one that the move was made from.
"""


def _leaving(state: type[Frozen]) -> str:
    status = state.model_fields["status"].default
    moves = [f"{move.actor}: {move.action} → {move.target}" for move in MOVES if move.source == status]
    return "; ".join(moves) or "nothing"


def _summary(docstring: str | None) -> str:
    return " ".join((docstring or "").split())


def sample_job() -> Job:
    """The job that the worker's samples are about, as it was submitted."""
    return transitions.submit(_new_job(SAMPLE_JOB_ID), POLICY, SAMPLE_TIME).job


def sample_user(role: Role = "admin") -> User:
    """Who submits the samples."""
    return User(
        id=SAMPLE_OWNER_ID, email=SAMPLE_EMAIL, name="Sample", role=role, version=1,
        created_at=SAMPLE_TIME, updated_at=SAMPLE_TIME,
    )  # fmt: skip


def _samples() -> dict[str, JsonValue]:
    queued = sample_job()
    later = queued.wake_at or SAMPLE_TIME
    redriven = _legal(transitions.redrive(queued, POLICY, later))
    other = transitions.submit(_new_job("3d6a3b0e-52f5-4a0c-8a53-0c3a7f1d5c22"), POLICY, SAMPLE_TIME).job
    cancelled = _legal(transitions.cancel(other, POLICY, SAMPLE_TIME + timedelta(seconds=1)))
    poison: dict[str, JsonValue] = {
        "id": {"S": "7f8e2a90-0d4a-4c43-b9a4-5c1f8e6d7b33"},
        "status": {"S": "queued"},
        "version": {"S": "one"},
    }
    insert = stream_record("1", "INSERT", SAMPLE_JOB_ID, new=_image(queued))
    modify = stream_record("2", "MODIFY", SAMPLE_JOB_ID, new=_image(redriven), old=_image(queued))
    claimed = _legal(transitions.claim(queued, POLICY, "token", SAMPLE_TIME + timedelta(seconds=90), SAMPLE_TIME))
    failed = _legal(transitions.finish(claimed, POLICY, "token", Retry(reason="busy"), SAMPLE_TIME, 0.5))
    retrying = stream_record("3", "MODIFY", SAMPLE_JOB_ID, new=_image(failed), old=_image(claimed))
    done = _legal(transitions.finish(claimed, POLICY, "token", Done(result=JsonText('{"rows":2}')), SAMPLE_TIME, 0.5))
    succeeded = stream_record("3", "MODIFY", SAMPLE_JOB_ID, new=_image(done), old=_image(claimed))
    change = stream_record("3", "MODIFY", other.id, new=_image(cancelled), old=_image(other))
    removal: dict[str, JsonValue] = {
        **stream_record("4", "REMOVE", other.id, old=_image(cancelled)),
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
    }
    poisoned = stream_record("5", "INSERT", "7f8e2a90-0d4a-4c43-b9a4-5c1f8e6d7b33", new=poison)
    tick = TickWake(schedule_id=SAMPLE_SCHEDULE_ID, due=SAMPLE_TIME)
    body = json.dumps({"type": "csv.profile", "payload": {"csv": "city,people\nBergen,291940\nBodo,53712\n"}})
    return {
        "api_submit": http_event("POST", "/v1/jobs", body),
        "api_read": http_event("GET", f"/v1/jobs/{SAMPLE_JOB_ID}"),
        "worker_queued_insert": {"Records": [insert]},
        "worker_redriven_modify": {"Records": [modify]},
        "worker_ttl_removal": {"Records": [removal]},
        "worker_poison_record": {"Records": [poisoned]},
        "worker_mixed_batch": {"Records": [insert, modify, change, removal, poisoned]},
        "worker_due_job_message": {"Records": [queue_message(body_of(Wake(job_id=SAMPLE_JOB_ID, due=SAMPLE_TIME)))]},
        "worker_schedule_tick_message": {"Records": [queue_message(tick.model_dump_json())]},
        "runner_job_message": {"Records": [queue_message(body_of(Wake(job_id=SAMPLE_JOB_ID, due=SAMPLE_TIME)))]},
        "recorder_retrying_modify": {"Records": [retrying]},
        "recorder_succeeded_modify": {"Records": [succeeded]},
        "sweeper_schedule_tick": {"source": "headrace.schedule", "time": "2026-11-23T03:00:00Z"},
    }


def _new_job(job_id: str) -> NewJob:
    payload = JsonText('{"csv":"city,people\\nBergen,291940\\nBodo,53712\\n"}')
    return NewJob(id=job_id, owner_id=SAMPLE_OWNER_ID, type="csv.profile", payload=payload, max_attempts=3)


def _image(job: Job) -> dict[str, JsonValue]:
    image: dict[str, JsonValue] = json.loads(json.dumps(job_to_item(job, f"write-{job.version}")))
    return image


def _legal(moved: Change | IllegalTransition) -> Job:
    if isinstance(moved, IllegalTransition):
        raise TypeError(f"the sample's {moved.action} is not legal")
    return moved.job


def stream_record(
    number: str,
    name: str,
    job_id: str,
    new: Mapping[str, JsonValue] | None = None,
    old: Mapping[str, JsonValue] | None = None,
) -> dict[str, JsonValue]:
    """A record of the jobs table's stream, as Lambda delivers it; `number` is one digit."""
    change: dict[str, JsonValue] = {
        "ApproximateCreationDateTime": SAMPLE_TIME.timestamp(),
        "Keys": {"id": {"S": job_id}},
        **({"NewImage": dict(new)} if new is not None else {}),
        **({"OldImage": dict(old)} if old is not None else {}),
        "SequenceNumber": f"10000000000000000000{number}",
        "SizeBytes": 700,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    return {
        "eventID": f"{number}" * 32,
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": change,
        "eventSourceARN": _STREAM,
    }


def _json(document: JsonValue) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for path, content in generated().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        print(path)
