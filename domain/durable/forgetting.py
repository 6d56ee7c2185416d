"""Deletes what a deleted job remembered."""

from domain.blobs.store import MAX_DELETED
from domain.children.ids import partition_of
from domain.children.repository import CountRepository
from domain.durable.repository import StepRepository
from domain.jobs.documents import Documents
from domain.jobs.job import BlobRef, Job
from domain.results import StorageUnavailable


async def forget(
    job: Job, steps: StepRepository, counts: CountRepository, documents: Documents
) -> StorageUnavailable | None:
    """Delete the steps of a job that is gone; before them their blobs, and the counts of its children.

    Again is no failure.
    """
    remembered = await steps.remembered(job.life)
    if isinstance(remembered, StorageUnavailable):
        return remembered
    refs = [step.value for step in remembered if isinstance(step.value, BlobRef)]
    for start in range(0, len(refs), MAX_DELETED):
        if (failed := await documents.discard(*refs[start : start + MAX_DELETED])) is not None:
            return failed
    for step in remembered:
        for round in range(step.group.round + 1 if step.group else 0):
            if (failed := await counts.forget(partition_of(job.life, step.name, round))) is not None:
                return failed
    return await steps.forget(job.life)
