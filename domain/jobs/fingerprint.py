"""Decides whether two submissions under one idempotency key are the same, by meaning rather than spelling.

A submission is a replay if its fingerprint is the job's, so that it is recognised even if the job type has changed
since. Otherwise it is compared with the job itself, so that a default may be written out. The requested start is part
of the fingerprint because it is stored nowhere else.

A job that starts at once has a fingerprint of the first form, a digest of the submission as written: versions
that know no other form recognise the same submission too. A delayed one has `2:<digest>:<start>`, with the
digest of a canonical form.
"""

import hashlib
import json
from datetime import UTC
from typing import Final

from pydantic import BaseModel

from domain.flaws import read_document
from domain.jobs.job import Job, loaded
from domain.jobs.submission import Submission
from headrace.authoring.job_type import AnyJobType
from headrace.authoring.json_text import JsonText

_FORM: Final = "2:"
_LANES: Final = ("lane", "priority", "unique")


def fingerprint(submission: Submission, payload: JsonText) -> str:
    """The fingerprint of a submission whose payload is `payload`."""
    if not _start(submission):
        return _first_form(submission, payload)
    asked: list[object] = [
        submission.type,
        submission.tags,
        submission.max_attempts,
        _start(submission),
        _canonical(payload),
    ]
    asked += [_lane_wishes(submission)] if _lane_wishes(submission) else []
    asked += [submission.notify.model_dump()] if submission.notify else []
    return f"{_FORM}{_digest(json.dumps(asked, sort_keys=True))}:{_start(submission)}"


def is_recognised(job: Job, submission: Submission, payload: JsonText) -> bool:
    """Whether the fingerprint alone shows a replay; the job's payload is not looked at."""
    return (job.fingerprint or "") in {fingerprint(submission, payload), _first_form(submission, payload)}


def is_replay(job: Job, submission: Submission, payload: JsonText, job_type: AnyJobType) -> bool:
    """Whether the submission asks for what `job`, made by the same key and with its payload loaded, was made for."""
    return is_recognised(job, submission, payload) or (
        _started(job) == _start(submission)
        and {job.type, submission.type} <= {*job_type.names}
        and job.tags == submission.tags
        and job.max_attempts == (submission.max_attempts or job_type.policy.max_attempts)
        and _in_same_lane(job, submission)
        and job.notify == submission.notify
        and _mean_the_same(loaded(job.payload), payload, job_type.payload)
    )


def _start(submission: Submission) -> str:
    """When the job is to start, written in one way: empty for at once."""
    if submission.run_at is not None:
        return f"at {submission.run_at.astimezone(UTC).isoformat()}"
    return f"in {submission.delay_seconds!r}" if submission.delay_seconds else ""


def _started(job: Job) -> str | None:
    """The start that `job` was submitted with; None where a version that kept none delayed it."""
    stored = job.fingerprint or ""
    if stored.startswith(_FORM):
        return stored.split(":", 2)[2]
    return None if any(entry.status == "scheduled" for entry in job.history) else ""


def _canonical(document: JsonText) -> str:
    """Members sorted, numbers by their value, strings with one kind of escape."""
    return json.dumps(json.loads(document, parse_float=_number), sort_keys=True)


def _number(text: str) -> int | float:
    """A whole number is one number, whether it is written 1, 1.0 or 1e0."""
    value = float(text)
    return int(value) if value.is_integer() else value


def _lane_wishes(submission: Submission) -> dict[str, str | int]:
    wishes = {"lane": submission.lane, "priority": submission.priority, "unique": submission.unique}
    return {name: wish for name, wish in wishes.items() if wish is not None}


def _in_same_lane(job: Job, submission: Submission) -> bool:
    """Whether the submission, where it says something about lanes, says what `job` was made for."""
    own = f"{job.owner_id}/"
    named = job.lane.name.removeprefix(own) if job.lane and job.lane.name.startswith(own) else None
    priority = job.lane.priority if job.lane else None
    same_key = (job.unique is None) == (submission.unique is None)
    return submission.lane == named and submission.priority in {None, priority} and same_key


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _first_form(submission: Submission, payload: JsonText) -> str:
    # As versions wrote it that know no lanes and no `notify`, where the submission says nothing about them.
    silent = {name for name in _LANES if name not in _lane_wishes(submission)}
    silent |= set() if submission.notify else {"notify"}
    rest = submission.model_dump_json(exclude={"payload", "traceparent", "on_behalf", *silent})
    return _digest(f"{rest}\n{payload}")


def _mean_the_same(one: JsonText, other: JsonText, model: type[BaseModel]) -> bool:
    """Whether two payloads are the same JSON value, or are read by their model as equal."""
    if _canonical(one) == _canonical(other):
        return True
    first, second = read_document(model, one), read_document(model, other)
    try:
        # Unreadable documents have flaws, which may be equal although the documents are not.
        return isinstance(first, model) and isinstance(second, model) and _equal(first, second)
    except BaseException:  # noqa: BLE001 - nothing is awaited here, so this comes from a model's own comparison
        return False


def _equal(one: object, other: object) -> bool:
    """Equality for which a boolean is no number, at any depth."""
    match one, other:
        case (bool(), _) | (_, bool()):
            return one is other
        case BaseModel(), BaseModel():
            return type(one) is type(other) and _equal(dict(one), dict(other))
        case dict(), dict():
            return one.keys() == other.keys() and all(_equal(value, other[name]) for name, value in one.items())
        case list() | tuple(), list() | tuple():
            return len(one) == len(other) and all(map(_equal, one, other))
        case _:
            return bool(one == other)
