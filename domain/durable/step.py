"""What a job remembers, one item each: values of steps, ends of sleeps, what it waits for, signals that it was sent."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import AwareDatetime, JsonValue

from domain.children.group import Group
from domain.jobs.change import IfAbsent, IfNewer, Key, Put
from domain.jobs.job import BlobRef, Job, JobDocument
from domain.jobs.transitions import UNFINISHED_HORIZON
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import Policy

TABLE: Final = "job_steps"
"""The logical name of the table, as companions give it."""

STEP: Final = "step"
TIME: Final = "time"
SIGNAL: Final = "signal"
"""Kinds of what a handler calls by name: a name is of one kind."""
RECEIVED: Final = "received"
TIMED_OUT: Final = "timed_out"
"""How the wait for a signal has ended: both stand in one place, which the first of them takes."""
CHILDREN: Final = "children"
"""A `call` or `map`: its item says how far its group is, and changes with that."""
ENDED: Final = "ended"
"""The end of a round of a group's children; the first that is written of a round stands, until the next one's."""
RESULTS: Final = "results"
"""What a `call` or `map` came to: its value, or, where that is too large, which places failed."""
RAISED: Final = "raised"
"""The exception that a `call` or `map` raised, until a person retries the parent."""
OF_ROUNDS: Final = frozenset({ENDED, RAISED})
"""Kinds of which a group has one for each of its rounds: between Headrace and itself."""

MAX_STEPS: Final = 1000
"""Of one job: they are all read when it goes on. What has more is for child jobs."""
MAX_SIGNALS: Final = 100
"""That one job is sent."""
MAX_VALUE_BYTES: Final = 5 * 1024 * 1024
"""Of a value's JSON, as of a result's."""
MAX_LIFE = timedelta(days=366)
"""From a job's submission to the end of its last wait. Large values are kept as long in any case (`DocumentDays`)."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
_OF_SIGNAL: Final = "signal#"
_OF_RESULTS: Final = "results#"


class Step(Frozen):
    """Something that is remembered; it never changes, but for how far a group is."""

    job_id: str
    """The job's `life`, under which another job of the same id finds nothing."""
    name: str
    """That the handler, or the sender of a signal, gave it."""
    kind: str
    attempt: int
    began_at: AwareDatetime
    ended_at: AwareDatetime | None = None
    """None of a wait, whose end another item tells, or its time."""
    until: AwareDatetime | None = None
    """When the wait ends at the latest."""
    value: JobDocument | None = None
    digest: str | None = None
    """Of a signal's value, by which the same signal is recognised."""
    group: Group | None = None
    """Of the kind `children`."""
    round: int | None = None
    """Of the kinds `ended` and `raised`, and of `results` that are too large to be remembered."""
    failed: str | None = None
    """Packed. Of the kind `ended`: which of the round's children had failed, by their indexes in it; of `results` that
    are too large to be remembered: which of all, by their places."""
    write_id: str = ""
    """Of the write that made it, by which a lost acknowledgement is recognised."""

    @property
    def key(self) -> str:
        """Its sort key."""
        match self.kind:
            case kind if kind in {RECEIVED, TIMED_OUT}:
                return signal_key(self.name)
            case kind if kind == ENDED:
                return end_key(self.name)
            case kind if kind == RAISED:
                return raised_key(self.name, self.round or 0)
            case kind if kind == RESULTS:
                return results_key(self.name)
            case _:
                return self.name


STEP_FIELDS: Final = frozenset(Step.model_fields)


def is_name(text: object) -> bool:
    """Whether it can be the name of a step: it stands in keys and URLs."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def signal_key(name: str) -> str:
    """The sort key of the end of the wait for a signal; no name has its `#`."""
    return f"{_OF_SIGNAL}{name}"


def end_key(name: str) -> str:
    """The sort key of the end of the last round of children that has ended: nobody needs the earlier ones."""
    return f"ended#{name}"


def raised_key(name: str, round: int) -> str:
    """The sort key of what a `call` or `map` raised when this round, its last, had ended."""
    return f"raised#{round:05}#{name}"


def results_key(name: str) -> str:
    """The sort key of what a `call` or `map` came to."""
    return f"{_OF_RESULTS}{name}"


def name_of(key: str) -> str:
    """The name in a sort key."""
    return key.rpartition("#")[2]


def job_of(life: str) -> str:
    """The id of the job that has this life."""
    return life.partition("@")[0]


def submitted_at(life: str) -> datetime:
    """When the job that has this life was submitted."""
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(life.partition("@")[2]))


def step_key(job_id: str, key: str) -> Key:
    """The primary key."""
    return {"job_id": job_id, "name": key}


def step_put(step: Step, expires_at: datetime) -> Put:
    """Remembers the step, if nothing stands in its place, or, of the end of a round, the end of an earlier one."""
    moments = {"began_at": step.began_at, "ended_at": step.ended_at, "until": step.until}
    values: dict[str, JsonValue] = {
        "kind": step.kind,
        "attempt": step.attempt,
        "expires_at": int(expires_at.timestamp()),
        **{name: _exact(moment) for name, moment in moments.items() if moment is not None},
        **({"digest": step.digest} if step.digest else {}),
        **({"write_id": step.write_id} if step.write_id else {}),
        **({} if step.round is None else {"round": step.round}),
        **({"failed": step.failed} if step.failed else {}),
        **({} if step.group is None else {"group": step.group.model_dump(mode="json", exclude_none=True)}),
    }
    if isinstance(step.value, BlobRef):
        values["value_ref"] = step.value.model_dump()
    elif step.value is not None:
        values["value"] = step.value
    is_end = step.kind == ENDED and step.round is not None
    condition = IfNewer(name="round", value=step.round) if is_end else IfAbsent()
    return Put(table=TABLE, key=step_key(step.job_id, step.key), values=values, condition=condition)


def expiry_of(job: Job, policy: Policy, now: datetime) -> datetime:
    """When what the job remembers ceases to exist (TTL), if it was not deleted with its job: later than any job."""
    return max(job.created_at + MAX_LIFE, now) + policy.retention + UNFINISHED_HORIZON


def _exact(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
