"""Jobs that a handler submits with its result: they exist if and only if that is committed."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, cast

from pydantic import BaseModel, JsonValue, ValidationError

from domain.flaws import Flaw, flaws_of
from domain.jobs import transitions
from domain.jobs.change import FollowUp
from domain.jobs.checking import Checked, InvalidPayload, PayloadTooLarge, checked, keyed_id
from domain.jobs.job import Job
from domain.jobs.submission import Submission
from domain.ports import Clock
from domain.secrets.hidden import Hidden
from domain.users.user import User
from headrace.authoring.job_type import AnyJobType, Policy
from headrace.authoring.json_text import byte_length
from headrace.authoring.steps import StepMisused

MAX_FOLLOW_UPS: Final = 20
"""Of one job."""
MAX_INLINE_BYTES: Final = 64 * 1024
"""Of a payload's JSON: it stays in the item, for a transaction cannot write to the blob bucket."""

Definitions = Callable[[str], AnyJobType | None]
"""Gives the definition of a job type, by name; None for one that is not known."""


class Checker:
    """Checks what one attempt submits: jobs of the owner of its job, in its trace.

    Payloads and tags are taken without the values of the attempt's secrets: a job names a secret, and holds none.
    """

    def __init__(self, job: Job, hidden: Hidden, definitions: Definitions, clock: Clock, owner_limit: int) -> None:
        self._job = job
        self._hidden = hidden
        self._definitions = definitions
        self._clock = clock
        self._owner_limit = owner_limit

    def definition(self, type: str, name: str) -> AnyJobType:
        """The job type; raises `StepMisused`. `name` is what sentences call the job."""
        definition = self._definitions(type)
        if definition is None:
            raise StepMisused(f"the job {name} cannot be submitted: no job type is named {type!r:.80}")
        return definition

    def policy(self, type: str) -> Policy:
        """The policy of a job type; the default for one that is not known here."""
        definition = self._definitions(type)
        return definition.policy if definition else Policy()

    def checked(
        self,
        type: str,
        payload: object,
        name: str,
        delay: timedelta | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Checked:
        """The submission as it may be stored; raises `StepMisused`."""
        definition, now = self.definition(type, name), self._clock()
        try:
            submission = Submission(
                type=type,
                payload=_document(payload),
                delay_seconds=None if delay is None else delay.total_seconds(),
                tags=dict(tags or {}),
                traceparent=self._job.traceparent,
            )
        except ValidationError as error:
            raise StepMisused(f"the job {name} cannot be submitted: {_told(flaws_of(error).first)}") from None
        hidden = self._hidden
        shown = {hidden.text(tag): hidden.text(value) for tag, value in submission.tags.items()}
        submission = submission.model_copy(update={"payload": hidden.value(submission.payload), "tags": shown})
        # Only id and role decide anything here. Like a member, a handler may not escape the limit of an owner's lane.
        owner = User.model_construct(
            id=self._job.owner_id, email="", name="", role="member", version=0, created_at=now, updated_at=now
        )
        asked = checked(submission, definition, owner, None, self._owner_limit, now)
        match asked:
            case InvalidPayload(flaws=flaws):
                raise StepMisused(f"the job {name} cannot be submitted: {_told(flaws)}")
            case PayloadTooLarge(size=size, limit=limit):
                raise StepMisused(f"the payload of the job {name} has {size} bytes of JSON, the limit is {limit}")
            case Checked():
                return asked


class FollowUps:
    """What one attempt has submitted so far. Nothing of it is written before the attempt's outcome."""

    def __init__(self, job: Job, checker: Checker, clock: Clock) -> None:
        self._job = job
        self._checker = checker
        self._clock = clock
        self._added: dict[str, FollowUp] = {}

    @property
    def all(self) -> tuple[FollowUp, ...]:
        """In the order of their submission."""
        return tuple(self._added.values())

    def add(
        self, type: str, payload: object, name: str, delay: timedelta | None, tags: Mapping[str, str] | None
    ) -> str:
        """The id of the new job, which is the same in every attempt; raises `StepMisused`."""
        definition = self._checker.definition(type, name)
        if name in self._added:
            raise StepMisused(f"two jobs are submitted under the name {name}: each needs its own")
        if len(self._added) >= MAX_FOLLOW_UPS:
            raise StepMisused(f"a handler submits at most {MAX_FOLLOW_UPS} jobs with its result")
        asked = self._checker.checked(type, payload, name, delay, tags)
        if (size := byte_length(asked.payload)) > MAX_INLINE_BYTES:
            limit = f"the limit with a result is {MAX_INLINE_BYTES}"
            raise StepMisused(f"the payload of the job {name} has {size} bytes of JSON, {limit}")
        now = self._clock()
        # It cannot be refused here, but counts as the job does that submits it: against what is submitted afterwards.
        new = asked.as_job(keyed_id(self._job.life, f"submit:{name}"), asked.payload, counted=self._job.counted)
        job = transitions.submit(new, definition.policy, now).job
        self._added[name] = FollowUp(job=job)
        return job.id


def _document(payload: object) -> JsonValue:
    if isinstance(payload, BaseModel):
        return cast("JsonValue", payload.model_dump(mode="json", by_alias=True))
    return cast("JsonValue", payload)


def _told(flaws: tuple[Flaw, ...]) -> str:
    return "; ".join(f"{'/'.join(map(str, flaw.path))}: {flaw.message}" for flaw in flaws[:3])
