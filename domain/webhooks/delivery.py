"""A delivery: the job, of Headrace's own type `webhook.deliver`, that brings one change to one receiver.

Its id comes from the change and the receiver, so that however often a change is seen, one delivery is made. Its owner
is the endpoint, so that an endpoint's deliveries are listed, and take their turns in queues, as a user's jobs do. A
delivery that a job's own `notify` asked for belongs to the job's owner. Every function knows the type, so that this
module imports little; `tell_of.py` decides which deliveries there are.
"""

from datetime import timedelta
from typing import Final

from pydantic import Field

from domain.jobs.own_types import WEBHOOK_DELIVER
from domain.jobs.transitions import NewJob
from headrace.authoring.context import JobContext
from headrace.authoring.frozen import Frozen
from headrace.authoring.job_type import STANDARD, JobType, Policy
from headrace.authoring.json_text import JsonText
from headrace.authoring.outcomes import Retry
from headrace.authoring.retry import Backoff

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


def new_delivery(
    id: str, owner_id: str, delivery: Delivery, tags: dict[str, str], traceparent: str | None = None
) -> NewJob:
    """The job that makes a delivery."""
    return NewJob(
        id=id,
        owner_id=owner_id,
        type=WEBHOOK_DELIVER,
        payload=JsonText(delivery.model_dump_json(exclude_none=True)),
        tags=tags,
        max_attempts=DELIVERY.policy.max_attempts,
        traceparent=traceparent,
    )
