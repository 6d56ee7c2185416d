"""A delivery: the job, of Headrace's own type `webhook.deliver`, that brings one change to one receiver.

Its id comes from the change and the receiver, so that however often a change is seen, one delivery is made. Its owner
is the endpoint, so that an endpoint's deliveries are listed, and take their turns in queues, as a user's jobs do. A
delivery that a job's own `notify` asked for belongs to the job's owner.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from pydantic import Field

from domain.jobs.catalogue import Catalogue
from domain.jobs.disclosure import Disclosure
from domain.jobs.job import Job
from domain.jobs.listing import DOCUMENTS, JobSummary, summary_of
from domain.jobs.transitions import NewJob
from domain.webhooks.endpoint import Endpoint, wants
from domain.webhooks.event import body_of, derived_id, job_event
from headrace.authoring.context import JobContext
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import STANDARD, JobType, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Retry
from headrace.authoring.retry import Backoff

WEBHOOK_DELIVER: Final = "webhook.deliver"
ALLOWED_HOSTS: Final = "HTTP_REQUEST_ALLOWED_HOSTS"
"""The setting that permits private hosts, as for `http.request`."""

JOB_TAG, EVENT_TAG = "job_id", "event"
"""The tags of a delivery: the job that it tells of, and what of it."""


class Delivery(Frozen):
    """What is delivered, and where to. The body was fixed when the change was seen: every attempt sends the same."""

    message_id: str
    """The header `webhook-id`."""
    endpoint_id: str | None = None
    """The URL is the endpoint's at the time of the attempt; None for a job's own `notify`, which has `url`."""
    url: str | None = None
    signer_id: str
    body: str


class Delivered(Frozen):
    """The receiver took it."""

    status: int = Field(description="Of the response; any 2xx")


DELIVERY = JobType[Delivery, Delivered](
    name=WEBHOOK_DELIVER,
    summary="Deliver a webhook; made by Headrace itself",
    payload=Delivery,
    result=Delivered,
    # Some two days of tries: the delays' ceilings are 5 s, 15 s, 45 s … 9 h, then 12 h, and half of that on average.
    policy=Policy(
        runner=STANDARD,
        max_attempts=15,
        timeout=timedelta(seconds=20),
        backoff=Backoff(base=timedelta(seconds=5), factor=3, cap=timedelta(hours=12)),
    ),
    settings=(ALLOWED_HOSTS,),
)


class UnrunDelivery:
    """The type `webhook.deliver` where it is known and not run: the API, the recorder and the sweeper."""

    definition = DELIVERY

    async def run(self, _delivery: Delivery, _context: JobContext, /) -> Retry:
        """Never called; if it were, another attempt would find a function that can."""
        return Retry(code="not_here", reason="this function delivers no webhooks")


class TellOf:
    """Decides which deliveries a change asks for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._disclosure = Disclosure(catalogue)

    def summary(self, job: Job) -> JobSummary:
        """The job as those may see it who are told of it: as its owner would."""
        return self._disclosure.outside(summary_of(job, DOCUMENTS))

    def deliveries(self, job: Job, endpoints: Iterable[Endpoint]) -> tuple[NewJob, ...]:
        """The deliveries of a change; none of a delivery's own changes, or they would never end."""
        if job.type == WEBHOOK_DELIVER:
            return ()
        summary = self.summary(job)
        notify = job.notify
        own = notify is not None and job.status in notify.statuses
        return (
            *(_to_endpoint(summary, each) for each in endpoints if wants(each, job)),
            *((_to_url(summary, notify.url, notify.include),) if own and notify is not None else ()),
        )


def _to_endpoint(summary: JobSummary, endpoint: Endpoint) -> NewJob:
    id = derived_id("delivery", summary.id, str(summary.version), endpoint.id)
    body = body_of(job_event(summary, endpoint.include))
    delivery = Delivery(message_id=id, endpoint_id=endpoint.id, signer_id=endpoint.id, body=body)
    return new_delivery(id, endpoint.id, delivery, {JOB_TAG: summary.id, EVENT_TAG: f"job.{summary.status}"})


def _to_url(summary: JobSummary, url: str, include: tuple[str, ...]) -> NewJob:
    id = derived_id("delivery", summary.id, str(summary.version), "notify", url)
    body = body_of(job_event(summary, include))
    delivery = Delivery(message_id=id, url=url, signer_id=summary.owner_id, body=body)
    return new_delivery(id, summary.owner_id, delivery, {JOB_TAG: summary.id, EVENT_TAG: f"job.{summary.status}"})


def new_delivery(id: str, owner_id: str, delivery: Delivery, tags: dict[str, str]) -> NewJob:
    """The job that makes a delivery."""
    return NewJob(
        id=id,
        owner_id=owner_id,
        type=WEBHOOK_DELIVER,
        payload=JsonText(delivery.model_dump_json(exclude_none=True)),
        tags=tags,
        max_attempts=DELIVERY.policy.max_attempts,
    )
