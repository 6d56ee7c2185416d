"""The jobs of the trial: which version each is submitted to, what the other version does to it, how it must end."""

import asyncio
import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Sequence

from pydantic import JsonValue

from scripts.side_by_side.sides import Side
from scripts.side_by_side.table import Item, JobsTable
from scripts.side_by_side.trees import CannotPrepare

AT_ONCE = 12
MAX_WAIT_SECONDS = 60
Body = dict[str, JsonValue]
CSV = "city,when,cost\nOslo,2026-01-02,3.5\nBergen,2026-01-03,4\n"


@dataclasses.dataclass(frozen=True)
class Expected:
    """An accepted job, and how it must end."""

    kind: str
    job_id: str
    status: str = "succeeded"
    planted: bool = False


@dataclasses.dataclass(frozen=True)
class Wrong:
    """A wrong response of a version."""

    kind: str
    what: str


Outcome = Expected | Wrong
Submission = Callable[[str, Side, Side], Awaitable[Outcome]]


def kinds(receiver: str) -> dict[str, tuple[int, Submission]]:
    """Each kind of job with its share in percent; its submission gets the side to submit to and the other side."""
    profile: Body = {"type": "csv.profile", "payload": {"csv": CSV}}
    return {
        "csv.profile": (26, _plain(profile)),
        "http.request": (20, _plain(_delivery(receiver, "ok"))),
        "delayed": (12, _plain({**profile, "delay_seconds": 3})),
        "retried by the worker": (8, _plain(_delivery(receiver, "flaky"))),
        "cancelled by the other": (8, _cancelled({**profile, "delay_seconds": 3600})),
        "replayed by the other": (10, _replayed({**profile, "tags": {"n": "1", "a": "2"}})),
        "retried through the other": (6, _retried(_delivery(receiver, "mended"))),
        "only its side knows the type": (10, _only),
    }


async def submit_all(number: int, receiver: str, sides: tuple[Side, Side]) -> list[Outcome]:
    """Submit `number` jobs of all kinds, mixed, alternately to both sides."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(kind: str, submission: Submission, first: Side, second: Side) -> Outcome:
        async with gate:
            return await submission(kind, first, second)

    work = [
        [one(*job) for job in _of_kind(kind, max(2, number * share // 100), submission, sides)]
        for kind, (share, submission) in kinds(receiver).items()
    ]
    mixed = [each for row in itertools.zip_longest(*work) for each in row if each is not None]
    return list(await asyncio.gather(*mixed))


def _of_kind(
    kind: str, number: int, submission: Submission, sides: tuple[Side, Side]
) -> list[tuple[str, Submission, Side, Side]]:
    turns = [(sides[n % 2], sides[1 - n % 2]) for n in range(number)]
    return [(f"{kind} ({first.name})", submission, first, second) for first, second in turns]


async def plant_all(number: int, receiver: str, side: Side, table: JobsTable) -> list[Outcome]:
    """Plant items with attributes that neither version knows, `number` in each of three statuses."""
    bodies: dict[str, Body] = {
        "scheduled": {"type": "csv.profile", "payload": {"csv": CSV}, "delay_seconds": 3600},
        "running": _delivery(receiver, "slow"),
        "retrying": _delivery(receiver, "flaky"),
    }
    planted: list[Outcome] = []
    for status, body in bodies.items():
        job = await _submitted(side, body, f"model-{status}")
        model = await _caught(table, str(job["id"]), status)
        ids = [await table.plant(model) for _ in range(number)]
        planted.extend(Expected(f"planted, {status}", job_id, planted=True) for job_id in ids)
        if status == "scheduled":
            await side.request("POST", f"/v1/jobs/{job['id']}/cancel")
    return planted


async def _caught(table: JobsTable, job_id: str, status: str) -> Item:
    for _ in range(MAX_WAIT_SECONDS * 20):
        item = await table.item(job_id)
        if item.get("status") == {"S": status}:
            return item
        await asyncio.sleep(0.05)
    raise CannotPrepare(f"no job was observed as {status}, so none can be planted")


# ---- the kinds ----

_keys = itertools.count(1)


def _delivery(receiver: str, path: str) -> Body:
    return {"type": "http.request", "payload": {"url": f"http://{receiver}/{path}", "body": "hello"}}


async def _submitted(side: Side, body: Body, key: str) -> Body:
    response = await side.request("POST", "/v1/jobs", body, {"idempotency-key": key})
    if response.status_code != 202:  # noqa: PLR2004 - accepted
        raise CannotPrepare(f"{side.name} responded to a submission with {response.status_code}: {response.text[:300]}")
    job: Body = response.json()
    return job


def _plain(body: Body) -> Submission:
    async def submit(kind: str, first: Side, _second: Side) -> Outcome:
        job = await _submitted(first, body, f"key-{next(_keys)}")
        return Expected(kind, str(job["id"]))

    return submit


async def _only(kind: str, first: Side, _second: Side) -> Outcome:
    job = await _submitted(first, {"type": first.only, "payload": {}}, f"key-{next(_keys)}")
    return Expected(kind, str(job["id"]))


def _cancelled(body: Body) -> Submission:
    async def submit(kind: str, first: Side, second: Side) -> Outcome:
        job = await _submitted(first, body, f"key-{next(_keys)}")
        response = await second.request("POST", f"/v1/jobs/{job['id']}/cancel")
        # 409: the first response was lost, and this is that of the repeated request.
        if response.status_code not in {200, 409}:
            return Wrong(kind, f"{second.name} responded to the cancel with {response.status_code}: {response.text}")
        return Expected(kind, str(job["id"]), "cancelled")

    return submit


def _replayed(body: Body) -> Submission:
    async def submit(kind: str, first: Side, second: Side) -> Outcome:
        key = f"key-{next(_keys)}"
        job = await _submitted(first, body, key)
        again = await second.request("POST", "/v1/jobs", body, {"idempotency-key": key})
        if again.status_code != 202 or again.json()["id"] != job["id"]:  # noqa: PLR2004 - accepted
            return Wrong(kind, f"{second.name} responded to the replay with {again.status_code}: {again.text[:300]}")
        return Expected(kind, str(job["id"]))

    return submit


def _retried(body: Body) -> Submission:
    async def submit(kind: str, first: Side, second: Side) -> Outcome:
        job = await _submitted(first, body, f"key-{next(_keys)}")
        path = f"/v1/jobs/{job['id']}"
        status = await _status_of(first, path, {"failed"})
        if status != "failed":
            return Wrong(kind, f"{job['id']} is {status} after {MAX_WAIT_SECONDS} s, but should have failed first")
        response = await second.request("POST", f"{path}/retry")
        if response.status_code not in {202, 409}:
            return Wrong(kind, f"{second.name} refused the retry with {response.status_code}: {response.text[:300]}")
        return Expected(kind, str(job["id"]))

    return submit


async def _status_of(side: Side, path: str, wanted: Sequence[str] | set[str]) -> str:
    for _ in range(MAX_WAIT_SECONDS // 10):
        response = await side.request("GET", path, headers={"prefer": "wait=10"})
        status = str(response.json().get("status", response.status_code))
        if status in wanted:
            return status
    return status
