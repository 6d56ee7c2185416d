"""Files in tests of job types."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from headrace import File, JobContext, SyncJobContext, job_type
from headrace.testing.payloads import SubmissionRefused
from headrace.testing.running import run_job
from headrace.testing.stack import JobStack
from tests.factories import NOW

ID = "0b9f5f6e-4c1d-4e54-9b57-6d2f6f0c7a11"


class Source(BaseModel):
    """A file."""

    source: File


class Upper(BaseModel):
    """The same in capitals."""

    made: File


@job_type("test.upper")
def upper(payload: Source, context: SyncJobContext) -> Upper:
    """Write a file in capitals."""

    def lines() -> Iterator[bytes]:
        with context.open(payload.source) as file:
            yield from (line.upper() for line in file)

    return Upper(made=context.save("upper.txt", lines(), "text/plain"))


@job_type("test.upper_async")
async def upper_async(payload: Source, context: JobContext) -> Upper:
    """Write a file in capitals."""
    content = await (await context.open(payload.source)).read()
    return Upper(made=await context.save("upper.txt", content.upper()))


def test_a_handler_reads_the_files_that_a_test_gives_and_saves_others() -> None:
    for handler in (upper, upper_async):
        run = run_job(handler, Source(source=File(id=ID)), files={ID: b"one\ntwo\n"})
        assert run.saved == {"upper.txt": b"ONE\nTWO\n"}
        assert run.result.made.size == 8


def test_a_file_that_a_test_does_not_give_is_refused_as_the_api_does_it() -> None:
    with pytest.raises(SubmissionRefused, match="there is no file"):
        run_job(upper, {"source": {"id": ID}})


async def test_files_go_through_a_stack() -> None:
    stack = JobStack([upper], NOW)
    file = await stack.upload(b"one\n")
    job = await stack.submit("test.upper", Source(source=file))
    await stack.drain()
    result = stack.job(job.id).result
    assert isinstance(result, Upper)
    assert stack.content(result.made) == b"ONE\n"
    assert (await stack.upload(b"")).id != file.id
    stack.close()
