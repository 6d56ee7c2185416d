"""Decides who is told of a change: the deliveries that it asks for."""

from collections.abc import Iterable

from domain.jobs.catalogue import Catalogue
from domain.jobs.disclosure import Disclosure
from domain.jobs.job import Job
from domain.jobs.listing import DOCUMENTS, JobSummary, summary_of
from domain.jobs.own_types import OWN_TYPES
from domain.jobs.transitions import NewJob
from domain.webhooks.delivery import EVENT_TAG, JOB_TAG, Delivery, new_delivery
from domain.webhooks.endpoint import Endpoint, wants
from domain.webhooks.event import body_of, derived_id, job_event


class TellOf:
    """Decides which deliveries a change asks for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._disclosure = Disclosure(catalogue)

    def summary(self, job: Job) -> JobSummary:
        """The job as those may see it who are told of it: as its owner would."""
        return self._disclosure.outside(summary_of(job, DOCUMENTS))

    def deliveries(self, job: Job, endpoints: Iterable[Endpoint]) -> tuple[NewJob, ...]:
        """The deliveries of a change; none of a delivery's own changes, or they would never end."""
        if job.type in OWN_TYPES:
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
    return new_delivery(id, endpoint.id, delivery, _tags(summary), summary.traceparent)


def _to_url(summary: JobSummary, url: str, include: tuple[str, ...]) -> NewJob:
    id = derived_id("delivery", summary.id, str(summary.version), "notify", url)
    body = body_of(job_event(summary, include))
    delivery = Delivery(message_id=id, url=url, signer_id=summary.owner_id, body=body)
    return new_delivery(id, summary.owner_id, delivery, _tags(summary), summary.traceparent)


def _tags(summary: JobSummary) -> dict[str, str]:
    return {JOB_TAG: summary.id, EVENT_TAG: f"job.{summary.status}"}
