"""What is submitted: one job, or many in batches as large as the API takes."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from headrace_client.errors import HeadraceError, NotHeadrace, refusal
from headrace_client.json_values import JsonInput, JsonObject, RawJson, WrongForm, maybe, nested, several, take, written
from headrace_client.messages import Reply, object_of, problem_of
from headrace_client.models import Job
from headrace_client.retry import STATUSES, is_unsettled

MAX_BATCH: Final = 25
MAX_BATCH_BYTES: Final = 4 * 1024 * 1024
"""Of JSON in one request, whose limit is 5 MB; a larger job is a batch of its own."""


Unique = Literal["while-unfinished"]


@dataclass(frozen=True)
class Submission:
    """A job to submit."""

    type: str
    payload: JsonInput | RawJson
    run_at: datetime | str | None = None
    """When it becomes due: with a time zone, or RFC 3339 text."""
    delay: timedelta | float | None = None
    """How long after its submission it becomes due; a number is seconds."""
    max_attempts: int | None = None
    tags: Mapping[str, str] | None = None
    lane: str | None = None
    """Jobs of one lane run one at a time, or as many as an admin has set."""
    priority: int | None = None
    """From 0 to 9, in its lane; the highest goes first."""
    unique: Unique | None = None
    """`while-unfinished`: the idempotency key is free again when the job has ended."""
    notify: Mapping[str, JsonInput] | None = None
    """Who is told of its changes: `{"url": …}`, with `statuses` and `include` where they matter."""

    def text(self) -> str:
        """The JSON that the API takes; raises `ValueError` or `TypeError` for what cannot be JSON."""
        if isinstance(self.run_at, datetime) and self.run_at.tzinfo is None:
            raise ValueError("run_at has no time zone")
        members = {
            "type": self.type,
            "delay_seconds": self.delay.total_seconds() if isinstance(self.delay, timedelta) else self.delay,
            "run_at": self.run_at.isoformat() if isinstance(self.run_at, datetime) else self.run_at,
            "max_attempts": self.max_attempts,
            "tags": dict(self.tags) if self.tags is not None else None,
            "lane": self.lane,
            "priority": self.priority,
            "unique": self.unique,
            "notify": None if self.notify is None else dict(self.notify),
        }
        own = json.dumps({name: value for name, value in members.items() if value is not None}, allow_nan=False)
        return f'{own[:-1]}, "payload": {written(self.payload)}}}'


@dataclass(frozen=True)
class Outcome:
    """What came of one of many submissions: the job, or the error."""

    submission: Submission
    job: Job | None = None
    error: HeadraceError | None = None

    def accepted(self) -> Job:
        """The job; raises the error of a submission that was not accepted."""
        if self.job is not None:
            return self.job
        raise self.error or HeadraceError("not submitted")


def batches(submissions: Iterable[Submission]) -> Iterator[tuple[tuple[Submission, ...], str]]:
    """Divide submissions into batches, in their order; each with the JSON of its request.

    The same submissions are always divided in the same way, so that a key finds the same jobs again.
    """
    group: list[Submission] = []
    bodies: list[str] = []
    size = 0
    for submission in submissions:
        text = submission.text()
        length = len(text.encode())
        if group and (len(group) == MAX_BATCH or size + length > MAX_BATCH_BYTES):
            yield tuple(group), _batch(bodies)
            group, bodies, size = [], [], 0
        group.append(submission)
        bodies.append(text)
        size += length
    if group:
        yield tuple(group), _batch(bodies)


def is_batch_unsettled(reply: Reply) -> bool:
    """Whether the same batch may get another response soon, for at least one of its entries."""
    if not reply.is_success:
        return is_unsettled(reply)
    try:
        return any(status in STATUSES for status, _, _ in _entries(object_of(reply), None))
    except (HeadraceError, WrongForm):
        return False


def outcomes_of(group: tuple[Submission, ...], reply: Reply) -> tuple[Outcome, ...]:
    """One outcome for each submission of a batch; raises `Refused` or `NotHeadrace`."""
    try:
        entries = _entries(object_of(reply), len(group))
        return tuple(
            Outcome(submission, job, None if problem is None else refusal(problem_of(problem, status)))
            for submission, (status, job, problem) in zip(group, entries, strict=True)
        )
    except WrongForm as wrong:
        raise NotHeadrace(reply.url, f"a batch without a valid {wrong}") from wrong


_Entry = tuple[int, Job | None, JsonObject | None]


def _entries(raw: JsonObject, expected: int | None) -> tuple[_Entry, ...]:
    entries = several(raw, "results", _entry)
    if expected is not None and len(entries) != expected:
        raise WrongForm("results")
    return entries


def _entry(raw: JsonObject) -> _Entry:
    job, problem = nested(raw, "job", Job.of), maybe(raw, "problem", dict)
    if (job is None) == (problem is None):
        raise WrongForm("job")
    return take(raw, "status", int), job, problem


def _batch(bodies: list[str]) -> str:
    return f'{{"jobs": [{", ".join(bodies)}]}}'
