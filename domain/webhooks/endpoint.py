"""An endpoint: where an admin wants to be told of changes of jobs, and of which."""

from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, Field

from domain.jobs.job import Job
from headrace.authoring.frozen import Frozen

ToldStatus = Literal["scheduled", "retrying", "succeeded", "failed", "cancelled"]
"""The statuses that the recorder sees: it is not started when a job is queued or claimed."""

Include = Literal["payload", "result"]
"""A document of the job that is delivered too."""

FINAL_STATUSES: Final[tuple[ToldStatus, ...]] = ("succeeded", "failed", "cancelled")

MAX_ENDPOINTS = 20
"""Of a deployment: each change is compared with all of them, and may be delivered to each."""

FAILING_LIMIT = timedelta(days=3)
"""How long an endpoint may fail without one success before it is disabled."""

PATIENCE = 5
"""Attempts of a delivery before its failure can disable the endpoint: a quiet one may fail twice in a week."""


class Enabled(Frozen):
    """Changes are delivered; `failing_since` is the first failure after the last success."""

    status: Literal["enabled"] = "enabled"
    failing_since: AwareDatetime | None = None


class Disabled(Frozen):
    """Nothing is delivered: it said that it is gone (410), failed for days, or an admin wants it so."""

    status: Literal["disabled"] = "disabled"
    since: AwareDatetime
    reason: Literal["gone", "failing", "requested"]


EndpointState = Annotated[Enabled | Disabled, Field(discriminator="status")]


class EndpointWishes(Frozen):
    """What an admin decides about an endpoint."""

    url: str
    statuses: tuple[ToldStatus, ...] = FINAL_STATUSES
    types: tuple[str, ...] = ()
    """Job types; none for all."""
    include: tuple[Include, ...] = ()
    description: str = ""


class Endpoint(EndpointWishes):
    """An endpoint as it is kept. Its secrets lie elsewhere (`signing.py`): who lists endpoints cannot read them."""

    id: str
    state: EndpointState
    version: int
    created_at: AwareDatetime
    updated_at: AwareDatetime
    unknown: dict[str, str] = Field(default_factory=dict)
    """Attributes of a newer version, opaque: the store's own form by name. Kept through every change."""


def new_endpoint(id: str, wishes: EndpointWishes, now: datetime) -> Endpoint:
    """An endpoint in its first version."""
    return Endpoint(id=id, **dict(wishes), state=Enabled(), version=1, created_at=now, updated_at=now)


def changed_endpoint(endpoint: Endpoint, wishes: EndpointWishes, enabled: bool | None, now: datetime) -> Endpoint:
    """The endpoint's next version. `enabled` switches it on (its failures are forgotten) or off; None leaves that."""
    state: Enabled | Disabled = endpoint.state
    if enabled is True:
        state = Enabled()
    elif enabled is False and isinstance(state, Enabled):
        state = Disabled(since=now, reason="requested")
    return _next(endpoint, now, **dict(wishes), state=state)


def wants(endpoint: Endpoint, job: Job) -> bool:
    """Whether the endpoint is to be told of this change, which was not before the endpoint was there."""
    return (
        isinstance(endpoint.state, Enabled)
        and job.status in endpoint.statuses
        and (not endpoint.types or job.type in endpoint.types)
        and job.updated_at >= endpoint.created_at
    )


def after_success(endpoint: Endpoint, now: datetime) -> Endpoint:
    """The endpoint after it took a delivery; the same one if that changes nothing."""
    match endpoint.state:
        case Enabled(failing_since=datetime()):
            return _next(endpoint, now, state=Enabled())
        case Enabled() | Disabled():
            return endpoint


def after_failure(endpoint: Endpoint, attempt: int, now: datetime) -> Endpoint:
    """The endpoint after the `attempt`th attempt of a delivery failed; the same one if that changes nothing."""
    match endpoint.state:
        case Enabled(failing_since=None):
            return _next(endpoint, now, state=Enabled(failing_since=now))
        case Enabled(failing_since=datetime() as since) if now - since >= FAILING_LIMIT and attempt >= PATIENCE:
            return _next(endpoint, now, state=Disabled(since=now, reason="failing"))
        case Enabled() | Disabled():
            return endpoint


def after_gone(endpoint: Endpoint, now: datetime) -> Endpoint:
    """The endpoint after it said 410, which asks that nothing more be sent."""
    match endpoint.state:
        case Enabled():
            return _next(endpoint, now, state=Disabled(since=now, reason="gone"))
        case Disabled():
            return endpoint


def _next(endpoint: Endpoint, now: datetime, **changes: object) -> Endpoint:
    return endpoint.model_copy(update={**changes, "version": endpoint.version + 1, "updated_at": now})
