"""The process that `streaming.py` measures: `streaming_child.py URL copy|profile BYTES`."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from domain.files.attempts import JobFiles
from domain.jobs.attempt import Attempt
from domain.jobs.change import Change
from domain.jobs.guard import outcome_of
from domain.jobs.job import Job
from domain.jobs.outcomes import Done
from functions.runtime import LazyS3, new_id, now
from headrace.authoring.files import CHUNK_BYTES, File
from headrace.authoring.job_type import Handler
from headrace.authoring.json_text import to_json_text
from headrace.emulator.tables import ensure_buckets
from headrace.testing.file_repository import FakeFileRepository
from headrace.testing.job_repository import FakeJobRepository
from persistence.s3.blob_store import S3BlobStore
from tests.factories import claimed, queued

BUCKET = "blobbucket"
MEGABYTE = 1000**2
ROW = b"Bergen,291940,60.39,5.32,some words about it\n"
SMALL = 2 * CHUNK_BYTES


async def generated(size: int) -> AsyncIterator[bytes]:
    """A CSV file of about so many bytes."""
    rows = ROW * (CHUNK_BYTES // len(ROW))
    yield b"city,people,lat,lon,about\n"
    for _ in range(max(1, size // len(rows))):
        yield rows


def resident(name: str) -> int:
    """Megabytes of this process: VmRSS now, VmHWM at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024 / MEGABYTE)


async def copy(files: JobFiles, job: Job, file: File) -> None:
    """Copy a file from S3 to S3."""
    await files.save(job.owner_id, "copy", await files.open(job.owner_id, file), "text/csv")


async def profile(files: JobFiles, job: Job, file: File) -> None:
    """Run the example's job type."""
    from csv_files.profile import profile_file  # type: ignore[import-not-found]

    handler: Handler = profile_file
    payload = to_json_text({"file": {"id": file.id}})
    running = claimed(queued(now(), id=job.id, type="csv.profile_file", payload=payload), now())
    jobs = FakeJobRepository()
    await jobs.add(Change(running), now())
    context = Attempt(jobs, now, running, now() + timedelta(hours=1), {}, lambda: files)
    outcome = await outcome_of(handler, running, context, timedelta(hours=1))
    if not isinstance(outcome, Done):
        raise SystemExit(f"the job came to {outcome}")


async def main(url: str, what: str, size: int) -> None:
    """Measure, and print the result as JSON."""
    s3, described = LazyS3(url), FakeFileRepository()
    await ensure_buckets(await s3(), (BUCKET,))
    files = JobFiles(described, S3BlobStore(s3, BUCKET), now, new_id, timedelta(days=1))
    job, work = queued(), copy if what == "copy" else profile
    await work(files, job, await files.save(job.owner_id, "small", generated(SMALL), "text/csv"))
    large = await files.save(job.owner_id, "large", generated(size), "text/csv")
    before, began = resident("VmRSS"), time.monotonic()
    await work(files, job, large)
    seconds = time.monotonic() - began
    await s3.close()
    print(json.dumps({
        "what": what, "megabytes": (large.size or 0) // MEGABYTE, "before": before, "peak": resident("VmHWM"),
        "seconds": seconds,
    }))  # fmt: skip


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
