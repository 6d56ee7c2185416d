"""Test data: valid by construction; a test passes by name what matters to it."""

from datetime import datetime, timedelta
from typing import TypedDict

from polyfactory.factories.pydantic_factory import ModelFactory
from typing_extensions import Unpack

from domain.jobs import transitions
from domain.jobs.change import Change
from domain.jobs.job import InLane, Job, WaitFor
from domain.jobs.outcomes import Done, Outcome, Pause
from domain.jobs.transitions import IllegalTransition, NewJob
from domain.lanes.admission import InLine
from domain.users.quota import DEFAULT as DEFAULT_QUOTA
from domain.users.user import User
from headrace.authoring.job_type import WORKER, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Fail, Retry
from headrace.testing.clock import START

NOW = START
POLICY = Policy(runner=WORKER)
TOKEN = "token-of-this-worker"


class NewJobFactory(ModelFactory[NewJob]):
    """Random owners, types and tags around a small payload."""

    __random_seed__ = 7
    id = lambda: str(ModelFactory.__faker__.uuid4())  # noqa: E731
    owner_id = "owner-1"
    type = "csv.profile"
    payload = JsonText('{"csv":"a\\n1\\n"}')
    payload_version = 1
    max_attempts = 3
    run_at = None
    lane = None
    fingerprint = None
    unique = None
    unique_before = None
    notify = None
    traceparent = None
    counted = False
    parent = None


class UserFactory(ModelFactory[User]):
    """A member in its first version, with a unique address."""

    __random_seed__ = 7
    id = lambda: str(ModelFactory.__faker__.uuid4())  # noqa: E731
    email = lambda: f"{ModelFactory.__faker__.uuid4()}@example.com"  # noqa: E731
    name = "Somebody"
    role = "member"
    version = 1
    created_at = NOW
    updated_at = NOW
    disabled = False
    quota = DEFAULT_QUOTA
    principals = ()
    unknown = dict


def legal(moved: Change | IllegalTransition) -> Job:
    """Return the job of a transition that must be legal."""
    assert isinstance(moved, Change), moved
    return moved.job


class Fields(TypedDict, total=False):
    """The fields of a new job that a test may set."""

    id: str
    owner_id: str
    type: str
    payload: JsonText
    payload_version: int
    tags: dict[str, str]
    max_attempts: int
    lane: InLane
    traceparent: str | None


def new_job(run_at: datetime | None = None, **fields: Unpack[Fields]) -> NewJob:
    return NewJobFactory.build(factory_use_construct=False, **{**fields, "run_at": run_at})


def queued(now: datetime = NOW, policy: Policy = POLICY, **fields: Unpack[Fields]) -> Job:
    return transitions.submit(new_job(**fields), policy, now).job


def scheduled(run_at: datetime = NOW + timedelta(hours=1), now: datetime = NOW, **fields: Unpack[Fields]) -> Job:
    return transitions.submit(new_job(run_at, **fields), POLICY, now).job


def claimed(job: Job, now: datetime = NOW, policy: Policy = POLICY) -> Job:
    return legal(transitions.claim(job, policy, TOKEN, now + timedelta(minutes=15), now))


def running(now: datetime = NOW, policy: Policy = POLICY, **fields: Unpack[Fields]) -> Job:
    return claimed(queued(now, policy, **fields), now, policy)


def finished(job: Job, outcome: Outcome, now: datetime = NOW, policy: Policy = POLICY) -> Job:
    return legal(transitions.finish(job, policy, TOKEN, outcome, now, 0.5))


def succeeded(now: datetime = NOW, **fields: Unpack[Fields]) -> Job:
    return finished(running(now, **fields), Done(result=JsonText('{"rows":1}')), now)


LANE = InLane(name="stripe:7")


def blocked(now: datetime = NOW, policy: Policy = POLICY, **fields: Unpack[Fields]) -> Job:
    in_lane: Fields = {"lane": LANE, **fields}
    return transitions.submit(new_job(**in_lane), policy, now, InLine()).job


def retrying(now: datetime = NOW, **fields: Unpack[Fields]) -> Job:
    return finished(running(now, **fields), Retry(reason="later"), now)


def failed(now: datetime = NOW, **fields: Unpack[Fields]) -> Job:
    return finished(running(now, **fields), Fail(reason="never"), now)


def cancelled(now: datetime = NOW, **fields: Unpack[Fields]) -> Job:
    return legal(transitions.cancel(queued(now, **fields), POLICY, now))


WAITED_FOR = Pause(waits_for=(WaitFor(kind="signal", name="approved"),), until=NOW + timedelta(days=1))


def waiting(now: datetime = NOW, **fields: Unpack[Fields]) -> Job:
    return finished(running(now, **fields), WAITED_FOR, now)


def asked_to_stop(now: datetime = NOW, **fields: Unpack[Fields]) -> Job:
    return legal(transitions.cancel(running(now, **fields), POLICY, now))


def in_every_state(**fields: Unpack[Fields]) -> tuple[Job, ...]:
    """Return a job in every state, and one that was asked to stop."""
    makers = (queued, scheduled, blocked, running, asked_to_stop, retrying, waiting, succeeded, failed, cancelled)
    return tuple(make(**fields) for make in makers)
