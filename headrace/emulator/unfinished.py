"""Reports the jobs that a stopping stack could not finish."""

import asyncio
import sys
from collections import Counter
from datetime import datetime, timedelta

from domain.jobs.job import Job
from domain.jobs.repository import JobRepository
from domain.results import StorageUnavailable

STATUSES = ("running", "queued")
AHEAD = timedelta(minutes=20)
"""By then the sweeper looks at every job that runs (Lambda's 15 minutes) or is queued (`LONGEST_UNEXAMINED`)."""
PAGE = 100
MAX_PAGES = 3
"""Of each shard of the wake index, where scheduled jobs and retries lie too; a stop must not take long."""


async def report_unfinished(jobs: JobRepository, now: datetime) -> None:
    """Print how many jobs still run or wait for a worker; the next start of the stack continues with them."""
    shards = await asyncio.gather(*(_of_shard(jobs, shard, now) for shard in jobs.wake_shards))
    counts, complete = Counter[str](), True
    for shard in shards:
        if isinstance(shard, StorageUnavailable):
            print(f"the jobs that did not finish cannot be counted: {shard.detail}", file=sys.stderr)
            return
        counts, complete = counts + shard[0], complete and shard[1]
    if counts.total():
        print(unfinished_text(counts, complete=complete), file=sys.stderr)


def unfinished_text(counts: Counter[str], *, complete: bool) -> str:
    """The line for the terminal; `complete` says that there are no more."""
    shown = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    number = f"{'' if complete else 'at least '}{counts.total()} {'job' if counts.total() == 1 else 'jobs'}"
    return f"{number} did not finish ({shown}); the next `headrace dev` here goes on with those that have attempts left"


async def _of_shard(jobs: JobRepository, shard: str, now: datetime) -> tuple[Counter[str], bool] | StorageUnavailable:
    """The unfinished jobs of a shard by status, and whether these are all."""
    counts, after = Counter[str](), None
    for _ in range(MAX_PAGES):
        page = await jobs.due(shard, now + AHEAD, PAGE, after)
        if isinstance(page, StorageUnavailable):
            return page
        found = await asyncio.gather(*(jobs.get(entry.id, now) for entry in page.entries))
        counts.update(job.status for job in found if isinstance(job, Job) and job.status in STATUSES)
        if page.next is None:
            return counts, True
        after = page.next
    return counts, False
