"""Poison on the running local stack: jobs that crash, block or exhaust their process, and items that are no jobs.

Other jobs succeed; each poison job ends `failed` with a reason; items that are no jobs become dead letters.
"""

import asyncio
import json
import os
import tempfile
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import aioboto3
import httpx

from domain.jobs import transitions
from domain.jobs.transitions import NewJob
from functions.api.jobs.models import JobView
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Policy
from headrace.authoring.json_text import JsonText
from headrace.emulator.database import local_credentials
from headrace.emulator.directory import LOCAL_ADMIN, ensure_local_admin
from headrace.emulator.stack import Options, running_stack
from headrace.emulator.state import Folder
from headrace.emulator.tokens import local_authority
from persistence.converters.dynamo_to_domain import job_to_item
from tests.reliability.faults import with_faults
from tests.reliability.history import Violation

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import UniversalAttributeValueTypeDef as Attribute

HEALTHY = 60
PATIENCE_SECONDS = 240
EXPECTED: Mapping[str, tuple[str, str]] = {
    "poison.interrupt": ("exhausted", "KeyboardInterrupt"),
    "poison.generator": ("exhausted", "GeneratorExit"),
    "poison.surrogate": ("exhausted", "ValueError"),
    "poison.task": ("exhausted", "KeyboardInterrupt"),
    "poison.stop_iteration": ("exhausted", "StopIteration"),
    "poison.raises": ("exhausted", "RecursionError"),
    "poison.cancels": ("exhausted", "CancelledError"),
    "poison.sys_exit": ("exhausted", "SystemExit"),
    "poison.exits": ("exhausted", "lease_expired"),
    "poison.memory": ("exhausted", "lease_expired"),
    "poison.blocks": ("exhausted", "lease_expired"),
    "poison.waits": ("timeout", "timeout"),
    "poison.thread": ("timeout", "timeout"),
    "poison.rubbish": ("permanent", "invalid_result"),
    "test.note": ("permanent", "invalid_payload"),
}
"""How each ends: the reason and the code of the error. The payload of `test.note` is invalid for its type."""
UNDECODABLE: Mapping[str, "dict[str, Attribute]"] = {
    "only a status": {"status": {"S": "queued"}},
    "numbers instead of strings": {"status": {"S": "queued"}, "type": {"N": "1"}, "version": {"S": "one"}},
    "a payload that is a map": {"payload": {"M": {"fault": {"S": "none"}}}},
    "a time out of range": {"expires_at": {"N": "99999999999999999999999999999999999999"}},
    "a list of lists of lists": {"history": {"L": [{"L": [{"L": [{"NULL": True}]}]}]}},
}
"""Items that are no jobs: these attributes replace those of a job; the first item has no others."""


class Survived(Frozen):
    """How the poison jobs and the healthy jobs beside them ended."""

    ended: dict[str, tuple[str, str]]
    """The reason and code of the error, by job type."""
    dead_letter: int
    """Messages on the on-failure queue, for undecodable records."""
    undecodable: int
    healthy: int
    """Jobs beside them, all of which succeeded."""
    seconds: float


async def survive() -> Survived:
    """Run the poison jobs; raise `Violation` if any job does not end as expected."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="headrace-poison-") as temporary:
        folder = Path(temporary)
        state = Folder(folder / ".headrace")
        async with running_stack(
            state,
            Options(port=0, log_level="WARNING", sweep_seconds=1),
            lambda stack: with_faults(stack, folder / "ledger.sqlite"),
        ) as stack:
            await ensure_local_admin(state, stack.endpoint_url)
            token = local_authority(state).mint(LOCAL_ADMIN, datetime.now(UTC), timedelta(hours=1))
            headers = {"authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=stack.url, headers=headers, timeout=35) as client:
                await _store_invalid_items(stack.endpoint_url)
                bodies: list[dict[str, object]] = [{"type": "test.note", "payload": {}} for _ in range(HEALTHY)]
                for number, poison in enumerate(name for name in EXPECTED if name.startswith("poison.")):
                    bodies.insert(number * 6, {"type": poison, "payload": {}})
                ids = await asyncio.gather(*(_submit(client, body) for body in bodies))
                jobs = [await _final(client, job_id) for job_id in (*ids, BAD_PAYLOAD)]
                queue = state.queue("OnFailureQueue")
                dead_letter = await _messages(queue, len(UNDECODABLE))
    healthy = [job for job in jobs if job.type == "test.note" and job.id != BAD_PAYLOAD]
    for job in healthy:
        if job.status != "succeeded":
            raise Violation(f"I1: a healthy job did not succeed: {job}")
    ended = {job.type: (str(job.error.reason), job.error.code) for job in jobs if job.error is not None}
    if ended != EXPECTED:
        wrong = {name: ended.get(name) for name, end in EXPECTED.items() if ended.get(name) != end}
        raise Violation(f"I5: poison jobs did not end as expected: {wrong}")
    return Survived(
        ended=ended,
        dead_letter=dead_letter,
        undecodable=len(UNDECODABLE),
        healthy=len(healthy),
        seconds=time.monotonic() - began,
    )


BAD_PAYLOAD = str(uuid.UUID(int=7))


async def _store_invalid_items(endpoint_url: str) -> None:
    """Store items that are no jobs, and a job whose payload the API would have refused."""
    now = datetime.now(UTC)
    async with aioboto3.Session().client("dynamodb", endpoint_url=endpoint_url) as client:
        for number, (_, attributes) in enumerate(UNDECODABLE.items()):
            whole = _item(str(uuid.UUID(int=100 + number)), "{}", now)
            item = {"id": whole["id"], **attributes} if number == 0 else {**whole, **attributes}
            await client.put_item(TableName="JobsTable", Item=item)
        await client.put_item(TableName="JobsTable", Item=_item(BAD_PAYLOAD, '{"fault": ["no", "such"]}', now))


def _item(job_id: str, payload: str, now: datetime) -> "dict[str, Attribute]":
    new = NewJob(id=job_id, owner_id="nobody", type="test.note", payload=JsonText(payload), max_attempts=2)
    return job_to_item(transitions.submit(new, Policy(), now).job, "write-1")


async def _submit(client: httpx.AsyncClient, body: dict[str, object]) -> str:
    response = await client.post("/v1/jobs", json=body)
    response.raise_for_status()
    return str(response.json()["id"])


async def _final(client: httpx.AsyncClient, job_id: str) -> JobView:
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        response = await client.get(f"/v1/jobs/{job_id}", headers={"prefer": "wait=5"})
        job = JobView.model_validate(response.json())
        if job.status in {"succeeded", "failed", "cancelled"}:
            return job
        if time.monotonic() > ends:
            raise Violation(f"I1: not ended after {PATIENCE_SECONDS} s: {job}")


async def _messages(queue: Path, enough: int) -> int:
    """Count the records on the on-failure queue, once there are `enough`, or after half a minute."""
    found = 0
    for _ in range(60):
        lines = queue.read_text().splitlines() if queue.exists() else []  # noqa: ASYNC240 - a small file, in a test
        found = sum(int(json.loads(line)["DDBStreamBatchInfo"]["batchSize"]) for line in lines)
        if found >= enough:
            break
        await asyncio.sleep(0.5)
    return found


if __name__ == "__main__":
    os.environ.update(local_credentials())
    print(json.dumps(asyncio.run(survive()).model_dump(), indent=1))
